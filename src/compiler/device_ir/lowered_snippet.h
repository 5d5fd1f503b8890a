// Lowers snippets of PTX for tests and looks at the printed device IR.
#pragma once

#include <gtest/gtest.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>

#include <memory>
#include <string>

#include "compiler/device_ir/lower.h"
#include "compiler/ptx/parser.h"

namespace guda::device_ir::testing_support {

inline constexpr const char* kRegisters = R"(
  .reg .pred %p<8>;
  .reg .b16 %rs<16>;
  .reg .b32 %r<32>;
  .reg .b64 %rd<32>;
  .reg .b128 %rq<4>;
  .reg .f32 %f<32>;
  .reg .f64 %fd<16>;
)";

struct Lowered {
  std::string ir;
  Status status;
};

inline Lowered lower_module(const std::string& text, const char* kernel = "k") {
  auto source =
      std::make_shared<const std::string>(".version 9.0\n.target sm_90\n.address_size 64\n" + text);
  auto module = ptx::parse_module(source, "test.ptx", {.lazy_bodies = true});
  if (!module) return {"", module.status()};
  llvm::LLVMContext context;
  auto lowered = lower_kernel(*module, kernel, "test.ptx", context);
  if (!lowered) return {"", lowered.status()};
  Lowered result;
  llvm::raw_string_ostream stream(result.ir);
  (*lowered)->print(stream, nullptr);
  return result;
}

// A kernel with pointer, u32 and f32 parameters and the usual registers around `body`.
inline Lowered lower_body(const std::string& body) {
  return lower_module(
      std::string(".visible .entry k(.param .u64 a, .param .u32 n, .param .f32 x) {") + kRegisters +
      body + "\nret;\n}\n");
}

inline testing::AssertionResult lowers_to(const std::string& body, const std::string& expected) {
  const Lowered lowered = lower_body(body);
  if (!lowered.status) return testing::AssertionFailure() << lowered.status.message();
  if (lowered.ir.find(expected) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no '" << expected << "' in\n" << lowered.ir;
}

inline testing::AssertionResult fails_with(const Lowered& lowered, const std::string& message) {
  if (lowered.status) return testing::AssertionFailure() << "lowered to\n" << lowered.ir;
  if (lowered.status.message().find(message) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << lowered.status.message();
}

}  // namespace guda::device_ir::testing_support
