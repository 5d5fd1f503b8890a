#include "backends/cpu/fault_trap.h"

#include "backends/cpu/fault_handler.h"
#include "backends/cpu/sanitizer_stacks.h"

namespace guda::cpu {
namespace {

// Initial-exec: the fault handler reads it, and the general model may allocate on first use.
[[gnu::tls_model("initial-exec")]] thread_local FaultTrap* t_trap = nullptr;

}  // namespace

FaultTrap* current_trap() { return t_trap; }

bool run_trapped(void (*function)(void*), void* argument, uintptr_t* address) {
  install_fault_handlers();
  FaultTrap trap;
  trap.outer = t_trap;
  t_trap = &trap;
  const bool left = guda_guarded_call(&trap.guard, nullptr, function, argument) != 0;
  t_trap = trap.outer;
  if (!left) return true;
  StackIdentity unchanged;
  after_unwind(unchanged);
  *address = trap.address;
  return false;
}

void leave_trap(uintptr_t address) {
  t_trap->address = address;
  guda_unwind(&t_trap->guard);
}

}  // namespace guda::cpu
