#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/raw_ostream.h>

#include "compiler/target/target.h"

namespace guda::target {
namespace {

std::unique_ptr<llvm::Module> parse(llvm::LLVMContext& context, const char* text) {
  llvm::SMDiagnostic error;
  auto module = llvm::parseAssemblyString(text, error, context);
  if (!module) ADD_FAILURE() << error.getMessage().str();
  return module;
}

std::string print(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

/// Lowers and checks that nothing of the other address spaces is left.
Result<MemoryLayout> lower(llvm::Module& module) {
  auto layout = lower_memory(module);
  std::string broken;
  llvm::raw_string_ostream stream(broken);
  EXPECT_FALSE(llvm::verifyModule(module, &stream)) << broken << print(module);
  EXPECT_EQ(print(module).find("addrspace("), std::string::npos) << print(module);
  return layout;
}

}  // namespace

TEST(LowerMemory, LaysOutSharedVariablesStaticFirst) {
  llvm::LLVMContext context;
  auto module = parse(context, R"(
    @a = internal addrspace(3) global [5 x i8] poison, align 1
    @dynamic = external addrspace(3) global [0 x i8], align 4
    @b = internal addrspace(3) global [8 x i8] poison, align 8
    define void @k(ptr %params) {
      store i32 1, ptr addrspace(3) @b
      store i32 2, ptr addrspace(3) getelementptr (i8, ptr addrspace(3) @dynamic, i64 4)
      store i64 ptrtoint (ptr addrspace(3) @b to i64), ptr %params
      store i8 3, ptr addrspace(3) @a
      ret void
    })");
  auto layout = lower(*module);
  ASSERT_TRUE(layout.is_ok());
  EXPECT_EQ(layout->static_shared_bytes, 16u);
  const std::string text = print(*module);
  EXPECT_NE(text.find("i64 8"), std::string::npos) << text;
}

TEST(LowerMemory, NumbersModuleVariables) {
  llvm::LLVMContext context;
  auto module = parse(context, R"(
    @unused = external addrspace(1) global [4 x i8]
    @table = external addrspace(4) global [64 x i8], align 4
    @counter = external addrspace(1) global [4 x i8], align 4
    define void @k(ptr %params) {
      %v = load i32, ptr addrspace(4) getelementptr (i8, ptr addrspace(4) @table, i64 8)
      %old = atomicrmw add ptr addrspace(1) @counter, i32 %v monotonic
      %address = ptrtoint ptr addrspace(1) @counter to i64
      store i64 %address, ptr %params
      ret void
    })");
  auto layout = lower(*module);
  ASSERT_TRUE(layout.is_ok());
  EXPECT_EQ(layout->symbols, (std::vector<std::string>{"table", "counter"}));
}

TEST(LowerMemory, ConvertsSharedAddressesBothWays) {
  llvm::LLVMContext context;
  auto module = parse(context, R"(
    define void @k(ptr %params, i64 %offset, i1 %c) {
    entry:
      %s = inttoptr i64 %offset to ptr addrspace(3)
      br i1 %c, label %other, label %join
    other:
      %g0 = inttoptr i64 %offset to ptr
      %t = addrspacecast ptr %g0 to ptr addrspace(3)
      br label %join
    join:
      %p = phi ptr addrspace(3) [ %s, %entry ], [ %t, %other ]
      %back = ptrtoint ptr addrspace(3) %p to i64
      %g = addrspacecast ptr addrspace(3) %p to ptr
      %generic = ptrtoint ptr %g to i64
      store i64 %back, ptr %params
      %next = getelementptr i8, ptr %params, i64 8
      store i64 %generic, ptr %next
      ret void
    })");
  ASSERT_TRUE(lower(*module).is_ok());
  const std::string text = print(*module);
  EXPECT_NE(text.find("sub i64"), std::string::npos) << text;  // back is an offset again
}

TEST(LowerMemory, FollowsPointersAroundLoops) {
  llvm::LLVMContext context;
  auto module = parse(context, R"(
    @s = internal addrspace(3) global [64 x i8] poison, align 4
    declare void @llvm.prefetch.p3(ptr addrspace(3), i32, i32, i32)
    define void @k(ptr %params, i32 %n) {
    entry:
      br label %loop
    loop:
      %p = phi ptr addrspace(3) [ @s, %entry ], [ %q, %loop ]
      %i = phi i32 [ 0, %entry ], [ %j, %loop ]
      call void @llvm.prefetch.p3(ptr addrspace(3) %p, i32 0, i32 0, i32 1)
      store i32 %i, ptr addrspace(3) %p
      %q = getelementptr i8, ptr addrspace(3) %p, i64 4
      %j = add i32 %i, 1
      %done = icmp eq i32 %j, %n
      br i1 %done, label %exit, label %loop
    exit:
      ret void
    })");
  auto layout = lower(*module);
  ASSERT_TRUE(layout.is_ok());
  EXPECT_EQ(layout->static_shared_bytes, 64u);
}

TEST(LowerMemory, TellsSharedFromGlobalAddresses) {
  llvm::LLVMContext context;
  auto module = parse(context, R"(
    declare i1 @ptx.isspacep.shared(i64)
    declare i1 @ptx.isspacep.local(i64)
    define void @k(ptr %params, i64 %address) {
      %local = alloca i32
      %a = ptrtoint ptr %local to i64
      %s = call i1 @ptx.isspacep.shared(i64 %address)
      %l = call i1 @ptx.isspacep.local(i64 %a)
      store i1 %s, ptr %params
      store i1 %l, ptr %params
      ret void
    })");
  ASSERT_TRUE(lower(*module).is_ok());
  const std::string text = print(*module);
  EXPECT_EQ(text.find("isspacep"), std::string::npos) << text;
  EXPECT_NE(text.find("icmp ult i64"), std::string::npos) << text;
  EXPECT_NE(text.find("store i1 true"), std::string::npos) << text;
}

}  // namespace guda::target
