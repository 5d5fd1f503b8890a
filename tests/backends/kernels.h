// The PTX of the conformance suite's kernels.
#pragma once

#include <string_view>

namespace guda::backend::conformance {

inline constexpr std::string_view kKernels = R"ptx(
.version 7.5
.target sm_52
.address_size 64

.global .align 4 .u32 counter = 17;
.const .align 4 .f32 factors[2] = {0f40000000, 0f40400000};

// c[i] = a[i] + b[i] for i < n
.visible .entry vector_add(.param .u64 pa, .param .u64 pb, .param .u64 pc, .param .u32 pn)
{
  .reg .pred %p;
  .reg .b32 %r<6>;
  .reg .b64 %rd<8>;
  .reg .f32 %f<4>;
  ld.param.u32 %r1, [pn];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %p, %r5, %r1;
  @%p bra DONE;
  ld.param.u64 %rd1, [pa];
  ld.param.u64 %rd2, [pb];
  ld.param.u64 %rd3, [pc];
  mul.wide.u32 %rd4, %r5, 4;
  add.s64 %rd5, %rd1, %rd4;
  add.s64 %rd6, %rd2, %rd4;
  add.s64 %rd7, %rd3, %rd4;
  ld.global.f32 %f1, [%rd5];
  ld.global.f32 %f2, [%rd6];
  add.f32 %f3, %f1, %f2;
  st.global.f32 [%rd7], %f3;
DONE:
  ret;
}

// Each thread writes where it stands: eight words per thread, x fastest.
.visible .entry where(.param .u64 pout)
{
  .reg .b32 %r<40>;
  .reg .b64 %rd<6>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ctaid.y;
  mov.u32 %r3, %ctaid.z;
  mov.u32 %r4, %nctaid.x;
  mov.u32 %r5, %nctaid.y;
  mov.u32 %r6, %nctaid.z;
  mov.u32 %r7, %tid.x;
  mov.u32 %r8, %tid.y;
  mov.u32 %r9, %ntid.x;
  mov.u32 %r10, %ntid.y;
  mad.lo.u32 %r11, %r3, %r5, %r2;
  mad.lo.u32 %r12, %r11, %r4, %r1;
  mul.lo.u32 %r13, %r9, %r10;
  mad.lo.u32 %r14, %r8, %r9, %r7;
  mad.lo.u32 %r15, %r12, %r13, %r14;
  ld.param.u64 %rd1, [pout];
  mul.wide.u32 %rd2, %r15, 32;
  add.s64 %rd3, %rd1, %rd2;
  st.global.u32 [%rd3], %r1;
  st.global.u32 [%rd3+4], %r2;
  st.global.u32 [%rd3+8], %r3;
  st.global.u32 [%rd3+12], %r4;
  st.global.u32 [%rd3+16], %r5;
  st.global.u32 [%rd3+20], %r6;
  st.global.u32 [%rd3+24], %r7;
  st.global.u32 [%rd3+28], %r8;
  ret;
}

// Parameters of all sizes: out[0..4] = the five of them, widened.
.visible .entry parameters(.param .u64 pout, .param .u8 p8, .param .u16 p16, .param .u32 p32,
                           .param .u64 p64, .param .align 8 .b8 pstruct[24])
{
  .reg .b16 %h<3>;
  .reg .b64 %rd<9>;
  ld.param.u64 %rd1, [pout];
  ld.param.u8 %h1, [p8];
  cvt.u64.u16 %rd2, %h1;
  ld.param.u16 %h2, [p16];
  cvt.u64.u16 %rd3, %h2;
  ld.param.u32 %rd4, [p32];
  ld.param.u64 %rd5, [p64];
  ld.param.u64 %rd6, [pstruct+16];
  st.global.u64 [%rd1], %rd2;
  st.global.u64 [%rd1+8], %rd3;
  st.global.u64 [%rd1+16], %rd4;
  st.global.u64 [%rd1+24], %rd5;
  st.global.u64 [%rd1+32], %rd6;
  ret;
}

// out[block] = sum of the block's 128 elements, through shared memory and barriers.
.visible .entry block_sum(.param .u64 pin, .param .u64 pout)
{
  .reg .pred %p<3>;
  .reg .b32 %r<16>;
  .reg .b64 %rd<8>;
  .shared .align 4 .b8 partial[512];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  ld.param.u64 %rd1, [pin];
  mul.wide.u32 %rd2, %r4, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r5, [%rd3];
  mov.u32 %r6, partial;
  shl.b32 %r7, %r3, 2;
  add.u32 %r8, %r6, %r7;
  st.shared.u32 [%r8], %r5;
  bar.sync 0;
  mov.u32 %r9, 64;
LOOP:
  setp.ge.u32 %p1, %r3, %r9;
  @%p1 bra SKIP;
  shl.b32 %r10, %r9, 2;
  add.u32 %r11, %r8, %r10;
  ld.shared.u32 %r12, [%r11];
  ld.shared.u32 %r13, [%r8];
  add.u32 %r14, %r12, %r13;
  st.shared.u32 [%r8], %r14;
SKIP:
  bar.sync 0;
  shr.u32 %r9, %r9, 1;
  setp.ne.u32 %p2, %r9, 0;
  @%p2 bra LOOP;
  setp.ne.u32 %p1, %r3, 0;
  @%p1 bra DONE;
  ld.shared.u32 %r15, [partial];
  ld.param.u64 %rd4, [pout];
  mul.wide.u32 %rd5, %r1, 4;
  add.s64 %rd6, %rd4, %rd5;
  st.global.u32 [%rd6], %r15;
DONE:
  ret;
}

// Reverses the block's elements through dynamic shared memory.
.extern .shared .align 4 .b8 window[];
.visible .entry reverse(.param .u64 pdata)
{
  .reg .b32 %r<12>;
  .reg .b64 %rd<4>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  ld.param.u64 %rd1, [pdata];
  mul.wide.u32 %rd2, %r4, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r5, [%rd3];
  mov.u32 %r6, window;
  shl.b32 %r7, %r3, 2;
  add.u32 %r8, %r6, %r7;
  st.shared.u32 [%r8], %r5;
  bar.sync 0;
  sub.u32 %r9, %r2, %r3;
  shl.b32 %r10, %r9, 2;
  add.u32 %r11, %r6, %r10;
  ld.shared.u32 %r5, [%r11+-4];
  st.global.u32 [%rd3], %r5;
  ret;
}

// histogram[data[i] % 16] += 1
.visible .entry histogram(.param .u64 pdata, .param .u64 phistogram)
{
  .reg .b32 %r<8>;
  .reg .b64 %rd<8>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  ld.param.u64 %rd1, [pdata];
  mul.wide.u32 %rd2, %r4, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r5, [%rd3];
  and.b32 %r6, %r5, 15;
  ld.param.u64 %rd4, [phistogram];
  mul.wide.u32 %rd5, %r6, 4;
  add.s64 %rd6, %rd4, %rd5;
  red.global.add.u32 [%rd6], 1;
  ret;
}

// data[i] = sum over the warp of data, by butterflies.
.visible .entry warp_sum(.param .u64 pdata)
{
  .reg .b32 %r<12>;
  .reg .b64 %rd<4>;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  ld.param.u64 %rd1, [pdata];
  mul.wide.u32 %rd2, %r4, 4;
  add.s64 %rd3, %rd1, %rd2;
  ld.global.u32 %r5, [%rd3];
  shfl.sync.bfly.b32 %r6, %r5, 16, 31, -1;
  add.u32 %r5, %r5, %r6;
  shfl.sync.bfly.b32 %r6, %r5, 8, 31, -1;
  add.u32 %r5, %r5, %r6;
  shfl.sync.bfly.b32 %r6, %r5, 4, 31, -1;
  add.u32 %r5, %r5, %r6;
  shfl.sync.bfly.b32 %r6, %r5, 2, 31, -1;
  add.u32 %r5, %r5, %r6;
  shfl.sync.bfly.b32 %r6, %r5, 1, 31, -1;
  add.u32 %r5, %r5, %r6;
  st.global.u32 [%rd3], %r5;
  ret;
}

// out[0] = ++counter, out[1] = 10 * factors[0] + factors[1]
.visible .entry variables(.param .u64 pout)
{
  .reg .b32 %r<3>;
  .reg .b64 %rd<2>;
  .reg .f32 %f<4>;
  ld.global.u32 %r1, [counter];
  add.u32 %r1, %r1, 1;
  st.global.u32 [counter], %r1;
  ld.param.u64 %rd1, [pout];
  st.global.u32 [%rd1], %r1;
  ld.const.f32 %f1, [factors];
  ld.const.f32 %f2, [factors+4];
  fma.rn.f32 %f3, %f1, 0f41200000, %f2;
  st.global.f32 [%rd1+4], %f3;
  ret;
}

// *out = **pointers
.visible .entry follow(.param .u64 ppointers, .param .u64 pout)
{
  .reg .b32 %r<2>;
  .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [ppointers];
  ld.global.u64 %rd2, [%rd1];
  ld.global.u32 %r1, [%rd2];
  ld.param.u64 %rd3, [pout];
  st.global.u32 [%rd3], %r1;
  ret;
}

// Thread i copies texel i of a texture of floats, rows of `width`.
.visible .entry texels(.param .u64 ptexture, .param .u64 pout, .param .u32 pwidth)
{
  .reg .b32 %r<8>;
  .reg .f32 %f<4>;
  .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [ptexture];
  ld.param.u64 %rd2, [pout];
  ld.param.u32 %r1, [pwidth];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.u32 %r5, %r2, %r3, %r4;
  rem.u32 %r6, %r5, %r1;
  div.u32 %r7, %r5, %r1;
  tex.2d.v4.f32.s32 {%f0, %f1, %f2, %f3}, [%rd1, {%r6, %r7}];
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd2, %rd3;
  st.global.f32 [%rd4], %f0;
  ret;
}

// The same of a texture over linear memory.
.visible .entry texels_1d(.param .u64 ptexture, .param .u64 pout)
{
  .reg .b32 %r<5>;
  .reg .f32 %f<4>;
  .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [ptexture];
  ld.param.u64 %rd2, [pout];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  tex.1d.v4.f32.s32 {%f0, %f1, %f2, %f3}, [%rd1, {%r4}];
  mul.wide.u32 %rd3, %r4, 4;
  add.s64 %rd4, %rd2, %rd3;
  st.global.f32 [%rd4], %f0;
  ret;
}

// Thread i stores i + 0.5 to texel i of a surface of floats, rows of `width`.
.visible .entry store_texels(.param .u64 psurface, .param .u32 pwidth)
{
  .reg .b32 %r<9>;
  .reg .f32 %f<3>;
  .reg .b64 %rd<2>;
  ld.param.u64 %rd1, [psurface];
  ld.param.u32 %r1, [pwidth];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.u32 %r5, %r2, %r3, %r4;
  rem.u32 %r6, %r5, %r1;
  div.u32 %r7, %r5, %r1;
  shl.b32 %r6, %r6, 2;
  cvt.rn.f32.u32 %f1, %r5;
  add.f32 %f2, %f1, 0f3F000000;
  mov.b32 %r8, %f2;
  sust.b.2d.b32.trap [%rd1, {%r6, %r7}], {%r8};
  ret;
}

.visible .entry trap()
{
  trap;
}
)ptx";

}  // namespace guda::backend::conformance
