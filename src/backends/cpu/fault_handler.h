// Hardware faults inside kernels become launch errors, those inside run_trapped() its result.
#pragma once

namespace guda::cpu {

/// Installs handlers for SIGSEGV, SIGBUS, SIGFPE and SIGILL, once. Faults elsewhere go to
/// the handlers that were there before.
void install_fault_handlers();

/// Gives the calling thread an alternate signal stack (needed to survive stack overflow) unless it
/// has one. Released when the thread ends.
void ensure_signal_stack();

}  // namespace guda::cpu
