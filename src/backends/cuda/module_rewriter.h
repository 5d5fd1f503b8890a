// Makes a module's PTX work on GUDA's memory: its variables are where the program sees them.
//
// A native module would have a copy of each variable of its own. Here the definitions are taken out of the text and
// every use names the constant address in the shared address space instead, so that cudaMemcpyToSymbol and all engines
// see one variable. Variables in .const become global ones, read through the read-only path: device code may take their
// addresses, so the two cannot be told apart at each use.
#pragma once

#include "backends/device.h"
#include "compiler/ptx/ast.h"
#include "support/status.h"

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace guda::backend::cuda {

/// Changes `module` (bodies parsed; device code of 64-bit addresses) so that it uses `variables` at their
/// addresses. Variables of the module that are not among them stay native.
/// Errors: not_supported when some constant variables are placed and others are not.
Status place_variables(ptx::Module& module, std::span<const Variable> variables);

/// Leaves one kernel and what it reaches, bodies parsed: the driver compiles whole modules, programs use few of their
/// kernels. Errors: not_found, invalid_ptx.
Status keep_only(ptx::Module& module, std::string_view kernel);

/// Kernels of the module may live in modules of their own: they share no variable but `variables`.
bool kernels_may_part(const ptx::Module& module, std::span<const Variable> variables);

/// Why a kernel of the module as it came cannot run natively on GUDA's memory; empty when it can. Nothing is
/// bound to texture references; variables initialised with addresses of functions hold another engine's. Parses the
/// bodies that the kernel reaches.
std::string refusal(ptx::Module& module, std::string_view kernel,
                    std::span<const Variable> variables);

}  // namespace guda::backend::cuda
