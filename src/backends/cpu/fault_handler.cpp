#include "backends/cpu/fault_handler.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <cstdint>
#include <mutex>

#include "backends/cpu/fault_trap.h"
#include "backends/cpu/faulting_access.h"
#include "backends/cpu/worker.h"

namespace guda::cpu {
namespace {

constexpr std::array kSignals = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr size_t kSignalStackBytes = 64 * 1024;

struct sigaction g_previous[kSignals.size()];

size_t slot_of(int signal) {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    if (kSignals[i] == signal) return i;
  }
  return 0;
}

void forward(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = g_previous[slot_of(signal)];
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(signal, info, context);
    return;
  }
  if (previous.sa_handler == SIG_IGN) return;
  if (previous.sa_handler != SIG_DFL) {
    previous.sa_handler(signal);
    return;
  }
  // Default action: take our handler away and let the instruction fault again.
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
}

bool is_canonical(uint64_t address) {
  const auto top = static_cast<int64_t>(address) >> 47;
  return top == 0 || top == -1;
}

// Returning from the handler restores the signal mask; execution goes on in guda_unwind.
void continue_at(ucontext_t& context, GuardPoint& guard) {
  auto& registers = context.uc_mcontext.gregs;
  registers[REG_RIP] = reinterpret_cast<greg_t>(&guda_unwind);
  registers[REG_RDI] = reinterpret_cast<greg_t>(&guard);
  registers[REG_RSP] = reinterpret_cast<greg_t>(guard.stack_pointer);
}

void handle(int signal, siginfo_t* info, void* raw_context) {
  Worker* worker = current_worker();
  auto* context = static_cast<ucontext_t*>(raw_context);
  const bool sent =
      info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE;
  const bool in_kernel = worker != nullptr && worker->in_kernel;
  FaultTrap* trap = current_trap();
  if (!sent && !in_kernel && trap != nullptr && (signal == SIGSEGV || signal == SIGBUS)) {
    trap->address = info->si_code == SI_KERNEL ? decode_faulting_access(*context).address
                                               : reinterpret_cast<uintptr_t>(info->si_addr);
    continue_at(*context, trap->guard);
    return;
  }
  if (sent || !in_kernel) {
    forward(signal, info, raw_context);
    return;
  }
  FaultRecord fault;
  fault.kind = FaultRecord::Kind::signal;
  fault.address = reinterpret_cast<uintptr_t>(info->si_addr);
  switch (signal) {
    case SIGSEGV:
      fault.code = StatusCode::illegal_address;
      if (info->si_code == SI_KERNEL) {
        const FaultingAccess access = decode_faulting_access(*context);
        fault.address = access.address;
        if (access.needs_alignment && is_canonical(access.address)) {
          fault.code = StatusCode::misaligned_address;
        }
      } else if (worker->is_stack_guard(info->si_addr)) {
        fault.code = StatusCode::hardware_stack_error;
        fault.stack_overflow = true;
      }
      break;
    case SIGBUS:
      fault.code = info->si_code == BUS_ADRALN ? StatusCode::misaligned_address
                                               : StatusCode::illegal_address;
      break;
    case SIGILL: fault.code = StatusCode::illegal_instruction; break;
    default: fault.code = StatusCode::launch_failed; break;
  }
  worker->fault = fault;
  worker->in_kernel = false;
  continue_at(*context, worker->guard);
}

struct SignalStack {
  void* memory = nullptr;

  SignalStack() {
    stack_t current{};
    if (sigaltstack(nullptr, &current) == 0 && (current.ss_flags & SS_DISABLE) == 0) return;
    void* mapped = mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return;
    stack_t stack{};
    stack.ss_sp = mapped;
    stack.ss_size = kSignalStackBytes;
    if (sigaltstack(&stack, nullptr) != 0) {
      munmap(mapped, kSignalStackBytes);
      return;
    }
    memory = mapped;
  }

  ~SignalStack() {
    if (memory == nullptr) return;
    stack_t current{};
    if (sigaltstack(nullptr, &current) == 0 && current.ss_sp == memory) {
      stack_t disable{};
      disable.ss_flags = SS_DISABLE;
      sigaltstack(&disable, nullptr);
    }
    munmap(memory, kSignalStackBytes);
  }
};

}  // namespace

void install_fault_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action{};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &g_previous[i]);
  });
}

void ensure_signal_stack() { thread_local const SignalStack stack; }

}  // namespace guda::cpu
