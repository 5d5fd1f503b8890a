#include <gtest/gtest.h>
#include <llvm/AsmParser/Parser.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/raw_ostream.h>

#include <memory>
#include <string>

#include "compiler/driver/kernel_abi.h"
#include "compiler/lanes/lanes.h"

namespace guda::lanes {
namespace {

struct Compiled {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module;
  Scalarized result;
  Status status;

  explicit Compiled(const std::string& text) {
    llvm::SMDiagnostic error;
    module = llvm::parseAssemblyString(text, error, context);
    if (module == nullptr) {
      ADD_FAILURE() << error.getMessage().str() << " in line " << error.getLineNo();
      return;
    }
    auto scalarized = scalarize(*module->getFunction("k"));
    status = scalarized.status();
    if (!scalarized) return;
    result = *scalarized;
    std::string problem;
    llvm::raw_string_ostream stream(problem);
    EXPECT_FALSE(llvm::verifyModule(*module, &stream)) << problem << print();
  }

  std::string print() const {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream, nullptr);
    return text;
  }
  bool has(const std::string& text) const { return print().find(text) != std::string::npos; }
};

TEST(Scalarize, RegistersParametersAndMemoryComeFromTheStates) {
  const Compiled compiled(R"(
    declare i32 @ptx.sreg.tid.x()
    declare i32 @ptx.sreg.lanemask_lt()
    declare i32 @ptx.sreg.clock()
    declare i64 @ptx.sreg.gridid()
    declare ptr @guda.shared()
    declare ptr @guda.symbol(i32)
    define void @k(ptr %params) {
      %p = load i64, ptr %params
      %t = call i32 @ptx.sreg.tid.x()
      %m = call i32 @ptx.sreg.lanemask_lt()
      %c = call i32 @ptx.sreg.clock()
      %g = call i64 @ptx.sreg.gridid()
      %s = call ptr @guda.shared()
      %v = call ptr @guda.symbol(i32 3)
      %a = add i32 %t, %m
      %b = add i32 %a, %c
      store i32 %b, ptr %s
      store i64 %p, ptr %v
      store i64 %g, ptr %v
      ret void
    })");
  ASSERT_TRUE(compiled.status.is_ok()) << compiled.status.message();
  EXPECT_EQ(compiled.result.run_thread->arg_size(), 1u);
  EXPECT_EQ(compiled.result.flags, 0u);
  EXPECT_FALSE(compiled.has("call i32 @ptx.")) << compiled.print();
  EXPECT_FALSE(compiled.has("call ptr @guda.")) << compiled.print();
}

TEST(Scalarize, SynchronisationGoesThroughServices) {
  const Compiled compiled(R"(
    declare void @ptx.bar.sync(i32, i32)
    declare i1 @ptx.bar.red.or(i32, i32, i1)
    declare {i32, i1} @ptx.shfl.sync.down.b32(i32, i32, i32, i32)
    declare i1 @ptx.vote.sync.any(i1, i32)
    declare i32 @ptx.match.any.sync.b64(i64, i32)
    declare i32 @ptx.activemask()
    declare void @ptx.bar.warp.sync(i32)
    declare float @ptx.ex2.approx.f32(float)
    define void @k(ptr %params) {
      call void @ptx.bar.sync(i32 0, i32 0)
      %r = call i1 @ptx.bar.red.or(i32 0, i32 0, i1 true)
      %s = call {i32, i1} @ptx.shfl.sync.down.b32(i32 1, i32 2, i32 31, i32 -1)
      %w = extractvalue {i32, i1} %s, 0
      %q = extractvalue {i32, i1} %s, 1
      %v = call i1 @ptx.vote.sync.any(i1 %q, i32 -1)
      %m = call i32 @ptx.match.any.sync.b64(i64 7, i32 %w)
      %a = call i32 @ptx.activemask()
      call void @ptx.bar.warp.sync(i32 %a)
      %f = call float @ptx.ex2.approx.f32(float 1.0)
      %x = and i1 %v, %r
      %y = zext i1 %x to i32
      %z = add i32 %m, %y
      store i32 %z, ptr null
      store float %f, ptr null
      ret void
    })");
  ASSERT_TRUE(compiled.status.is_ok()) << compiled.status.message();
  EXPECT_EQ(compiled.result.flags, kernel::kUsesBarrier | kernel::kUsesWarpOps);
  EXPECT_TRUE(compiled.has("call float @ptx.ex2.approx.f32")) << "lane-wise calls stay";
}

TEST(Scalarize, FunctionsReceiveTheThread) {
  const Compiled compiled(R"(
    declare i32 @ptx.sreg.tid.x()
    declare void @ptx.exit()
    define internal i32 @recursive(i32 %n) memory(none) {
      %z = icmp eq i32 %n, 0
      br i1 %z, label %leave, label %more
    leave:
      call void @ptx.exit()
      unreachable
    more:
      %t = call i32 @ptx.sreg.tid.x()
      %m = sub i32 %n, %t
      %r = call i32 @recursive(i32 %m)
      ret i32 %r
    }
    define void @k(ptr %params) {
      %v = alloca [100 x i8], align 16
      %r = call i32 @recursive(i32 5)
      %c = icmp eq i32 %r, 9
      br i1 %c, label %a, label %b
    a:
      call void @ptx.exit()
      unreachable
    b:
      %f = ptrtoint ptr @recursive to i64
      %p = inttoptr i64 %f to ptr
      %i = call i32 %p(i32 4)
      store i32 %i, ptr %v
      ret void
    })");
  ASSERT_TRUE(compiled.status.is_ok()) << compiled.status.message();
  EXPECT_TRUE(compiled.has("call i32 @recursive(ptr %thread, i32 5)")) << compiled.print();
  EXPECT_GE(compiled.result.local_bytes, 112u);
}

TEST(Scalarize, SystemCallsAndTraps) {
  const Compiled compiled(R"(
    declare i32 @ptx.syscall.vprintf(i64, i64)
    declare void @ptx.syscall.assertfail(i64, i64, i32, i64, i64)
    declare i64 @ptx.syscall.malloc(i64)
    declare void @ptx.syscall.free(i64)
    declare void @ptx.trap()
    declare void @ptx.nanosleep(i32)
    define void @k(ptr %params) {
      %n = call i32 @ptx.syscall.vprintf(i64 1, i64 2)
      %m = call i64 @ptx.syscall.malloc(i64 100)
      call void @ptx.syscall.free(i64 %m)
      call void @ptx.nanosleep(i32 %n)
      %c = icmp eq i64 %m, 0
      br i1 %c, label %a, label %b
    a:
      call void @ptx.syscall.assertfail(i64 1, i64 2, i32 3, i64 4, i64 1)
      br label %b
    b:
      call void @ptx.trap()
      ret void
    })");
  ASSERT_TRUE(compiled.status.is_ok()) << compiled.status.message();
  EXPECT_EQ(compiled.result.flags, kernel::kUsesPrintf);
}

TEST(Scalarize, AMisalignedAccessIsAFault) {
  const Compiled compiled(R"(
    declare void @guda.aligned(i32, i32)
    define void @k(ptr %params) {
      %p = load i64, ptr %params, align 8
      %low = trunc i64 %p to i32
      call void @guda.aligned(i32 %low, i32 3)
      %q = inttoptr i64 %p to ptr
      store i32 1, ptr %q, align 4
      ret void
    })");
  ASSERT_TRUE(compiled.status.is_ok()) << compiled.status.message();
  EXPECT_TRUE(compiled.has("and i32 %low, 3")) << compiled.print();
  EXPECT_TRUE(compiled.has(", i32 716)")) << compiled.print();
  EXPECT_FALSE(compiled.has("call void @guda.aligned")) << compiled.print();
}

TEST(Scalarize, TexturesAndSurfacesGoThroughServices) {
  const Compiled compiled(R"(
    declare {float, float, float, float} @ptx.tex.2d.f32.f32(i64, float, float)
    declare {i32, i32, i32, i32} @ptx.tex.level.a2d.u32.f32(i64, i32, float, float, float)
    declare {i16, i16} @ptx.suld.b.2d.v2.b16.trap(i64, i32, i32)
    declare void @ptx.sust.b.1d.b32.zero(i64, i32, i32)
    declare i32 @ptx.txq.width(i64)
    define void @k(ptr %params) {
      %t = call {float, float, float, float} @ptx.tex.2d.f32.f32(i64 1, float 2.0, float 3.0)
      %f = extractvalue {float, float, float, float} %t, 2
      store float %f, ptr null
      %u = call {i32, i32, i32, i32} @ptx.tex.level.a2d.u32.f32(i64 1, i32 0, float 2.0, float 3.0, float 1.0)
      %i = extractvalue {i32, i32, i32, i32} %u, 0
      store i32 %i, ptr null
      %s = call {i16, i16} @ptx.suld.b.2d.v2.b16.trap(i64 1, i32 2, i32 3)
      %h = extractvalue {i16, i16} %s, 1
      store i16 %h, ptr null
      %w = call i32 @ptx.txq.width(i64 1)
      call void @ptx.sust.b.1d.b32.zero(i64 1, i32 4, i32 %w)
      ret void
    })");
  ASSERT_TRUE(compiled.status.is_ok()) << compiled.status.message();
  EXPECT_FALSE(compiled.has("call void @ptx.")) << compiled.print();
  // Flags: unsigned result at a level of detail; 4-byte load that faults outside.
  EXPECT_TRUE(compiled.has("i32 4, i32 18, i64 1")) << compiled.print();
  EXPECT_TRUE(compiled.has("i32 1, i32 0, i64 1")) << compiled.print();
}

TEST(Scalarize, UnknownSynchronisationIsNamed) {
  const Compiled compiled(R"(
    declare void @ptx.mbarrier.something(i64)
    define void @k(ptr %params) {
      call void @ptx.mbarrier.something(i64 0)
      ret void
    })");
  EXPECT_EQ(compiled.status.code(), StatusCode::not_supported);
  EXPECT_NE(compiled.status.message().find("k: ptx.mbarrier.something"), std::string::npos);
}

}  // namespace
}  // namespace guda::lanes
