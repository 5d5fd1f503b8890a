// For tests: a kernel of integers, loaded as a program's module is.
#pragma once

#include "runtime/registry.h"

namespace guda::runtime {

/// add(to, from, n): to[i] += from[i] for i < n, one thread each.
inline constexpr char kAddPtx[] = R"(.version 7.5
.target sm_52
.address_size 64
.visible .entry add(.param .u64 to, .param .u64 from, .param .u32 n)
{
  .reg .pred %p;
  .reg .b32 %r<8>;
  .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [to];
  ld.param.u64 %rd2, [from];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.s32 %p, %r5, %r1;
  @%p bra END;
  mul.wide.s32 %rd3, %r5, 4;
  add.s64 %rd4, %rd1, %rd3;
  add.s64 %rd5, %rd2, %rd3;
  ld.global.u32 %r6, [%rd4];
  ld.global.u32 %r7, [%rd5];
  add.s32 %r6, %r6, %r7;
  st.global.u32 [%rd4], %r6;
END:
  ret;
}
)";

/// The process keeps it.
inline Result<Kernel*> load_add_kernel() {
  auto module = Registry::instance().load_image(kAddPtx, sizeof kAddPtx, "test", nullptr);
  if (!module) return module.status();
  return (*module)->find_kernel("add");
}

}  // namespace guda::runtime
