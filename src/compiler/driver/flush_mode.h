// What becomes of ptx.ftz.f32: PTX's .ftz wraps operands and results of an instruction in it.
#pragma once

namespace llvm {
class Function;
class Module;
}  // namespace llvm

namespace guda::driver {

/// Removes flushes of values that cannot be subnormal: flushed before, constants, converted integers.
void remove_redundant_flushes(llvm::Module& module);

/// When every f32 operation of `kernel` flushes its operands and results, and nothing in it would
/// suffer (no f64, no bf16, no floating atomics), removes the flushes that the hardware's
/// flush-to-zero mode makes unnecessary. True: the code must run in that mode.
bool take_flush_mode(llvm::Function& kernel);

/// A function that calls `function` in flush-to-zero mode, for the runtime to call instead. Marks all
/// functions of the module as running in that mode.
llvm::Function* enter_flush_mode(llvm::Function& function);

}  // namespace guda::driver
