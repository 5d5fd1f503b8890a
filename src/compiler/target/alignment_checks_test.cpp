#include "compiler/target/alignment_checks.h"

#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/raw_ostream.h>

namespace guda::target {
namespace {

class AlignmentChecks : public testing::Test {
 protected:
  /// Adds the checks to `define void @k(ptr %params)` with that body, and lists them as
  /// "block: residue & mask".
  std::vector<std::string> check(const std::string& body) {
    llvm::SMDiagnostic error;
    module_ = llvm::parseAssemblyString(
        "declare ptr @guda.shared()\ndeclare void @ptx.bar.sync(i32, i32)\n"
        "declare i32 @ptx.sreg.tid.x() memory(none)\n"
        "define void @k(ptr align 64 %params) {\nentry:\n" +
            body + "}\n",
        error, context_);
    if (module_ == nullptr) {
      ADD_FAILURE() << error.getMessage().str() << " in line " << error.getLineNo();
      return {};
    }
    add_alignment_checks(*module_);
    std::string broken;
    llvm::raw_string_ostream stream(broken);
    EXPECT_FALSE(llvm::verifyModule(*module_, &stream)) << broken;
    std::vector<std::string> found;
    for (const llvm::Instruction& instruction : llvm::instructions(*module_->getFunction("k"))) {
      const auto* call = llvm::dyn_cast<llvm::CallInst>(&instruction);
      if (call == nullptr || call->getCalledFunction()->getName() != kAlignmentCheck) continue;
      std::string text = call->getParent()->getName().str() + ": ";
      llvm::raw_string_ostream out(text);
      const llvm::Value* residue = call->getArgOperand(0);
      // A cast of a named value shows as that value.
      if (const auto* cast = llvm::dyn_cast<llvm::CastInst>(residue)) residue = cast->getOperand(0);
      residue->printAsOperand(out, false);
      out << " & ";
      call->getArgOperand(1)->printAsOperand(out, false);
      found.push_back(out.str());
    }
    return found;
  }

  llvm::LLVMContext context_;
  std::unique_ptr<llvm::Module> module_;
};

using Found = std::vector<std::string>;

TEST_F(AlignmentChecks, OnlyWhatMayBeMisalignedIsChecked) {
  EXPECT_EQ(check(R"(
      %a = load i64, ptr %params, align 8
      %p = inttoptr i64 %a to ptr
      %byte = load i8, ptr %p, align 1
      %packed = load i32, ptr %p, align 1
      %rounded = and i64 %a, -8
      %q = inttoptr i64 %rounded to ptr
      %old = atomicrmw add ptr %q, i64 1 monotonic, align 8
      %shared = call align 128 ptr @guda.shared()
      %s = getelementptr i8, ptr %shared, i64 24
      store double 1.0, ptr %s, align 8
      %v = load <4 x float>, ptr %p, align 16
      store i32 1, ptr %p, align 4
      ret void
    )"),
            (Found{"entry: %a & 15", "entry: %a & 3"}));
}

TEST_F(AlignmentChecks, AnIndexedAccessIsAsAlignedAsItsArray) {
  EXPECT_EQ(check(R"(
      %a = load i64, ptr %params, align 8
      %t = call i32 @ptx.sreg.tid.x()
      %wide = sext i32 %t to i64
      %offset = shl i64 %wide, 2
      %sum = add i64 %offset, %a
      %p = inttoptr i64 %sum to ptr
      %q = getelementptr i8, ptr %p, i64 -4
      %v = load float, ptr %q, align 4
      store float %v, ptr %p, align 4
      ret void
    )"),
            (Found{"entry: %a & 3"}));
}

TEST_F(AlignmentChecks, AByteOffsetCounts) {
  EXPECT_EQ(check(R"(
      %t = call i32 @ptx.sreg.tid.x()
      %wide = zext i32 %t to i64
      %shared = call align 128 ptr @guda.shared()
      %p = getelementptr i8, ptr %shared, i64 %wide
      %v = load i16, ptr %p, align 2
      ret void
    )"),
            (Found{"entry: %t & 1"}));
}

TEST_F(AlignmentChecks, AKnownFaultIsAFault) {
  EXPECT_EQ(check(R"(
      %shared = call align 128 ptr @guda.shared()
      %p = getelementptr i8, ptr %shared, i64 6
      store i32 1, ptr %p, align 4
      ret void
    )"),
            (Found{"entry: 2 & 3"}));
}

constexpr const char* kLoop = R"(
      %a = load i64, ptr %params, align 8
      br label %outer
    outer:
      %i = phi i64 [ 0, %entry ], [ %i1, %outer_end ]
      %row = phi i64 [ %a, %entry ], [ %next_row, %outer_end ]
      %row_p = inttoptr i64 %row to ptr
      br label %inner
    inner:
      %j = phi i64 [ 0, %outer ], [ %j1, %latch ]
      %p = phi ptr [ %row_p, %outer ], [ %p1, %latch ]
      BEFORE
      br i1 CONDITION, label %access, label %latch
    access:
      %v = load i32, ptr %p, align 4
      br label %latch
    latch:
      %p1 = getelementptr i8, ptr %p, i64 8
      %j1 = add i64 %j, 1
      %more = icmp ult i64 %j1, 100
      br i1 %more, label %inner, label %outer_end
    outer_end:
      %next_row = add i64 %row, 64
      %i1 = add i64 %i, 1
      %again = icmp ult i64 %i1, 100
      br i1 %again, label %outer, label %done
    done:
      ret void
    )";

std::string loop(const std::string& before, const std::string& condition) {
  std::string text = kLoop;
  text.replace(text.find("BEFORE"), 6, before);
  text.replace(text.find("CONDITION"), 9, condition);
  return text;
}

TEST_F(AlignmentChecks, AnAccessThatLoopsAlwaysMakeIsCheckedBeforeThem) {
  EXPECT_EQ(check(loop("%v0 = load i32, ptr %p, align 4", "true")), (Found{"entry: %a & 3"}));
}

TEST_F(AlignmentChecks, AConditionalAccessIsCheckedWhereItIs) {
  EXPECT_EQ(check(loop("%odd = trunc i64 %j to i1", "%odd")), (Found{"access: %a & 3"}));
}

TEST_F(AlignmentChecks, NothingObservableIsOvertaken) {
  EXPECT_EQ(
      check(loop("call void @ptx.bar.sync(i32 0, i32 0) %v0 = load i32, ptr %p, align 4", "true")),
      (Found{"inner: %a & 3"}));
}

TEST_F(AlignmentChecks, APointerThatMovesByBytesIsCheckedEveryTime) {
  std::string text = loop("%v0 = load i32, ptr %p, align 4", "true");
  text.replace(text.find("i64 8\n"), 5, "i64 6");
  EXPECT_EQ(check(text), (Found{"inner: %p & 3"}));
}

}  // namespace
}  // namespace guda::target
