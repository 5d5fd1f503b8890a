#include "backends/cpu/context_switch.h"

#include <cstdint>

#if !defined(__x86_64__)
#error "context_switch.cpp is written for x86-64; other machines need their own version"
#endif

// Frame of a suspended stack, from its stack pointer upwards: mxcsr, x87 control word, r15, r14,
// r13, r12, rbx, rbp, return address. Control registers are written only when they differ: loading
// them serialises.
asm(R"(
    .text
    .p2align 4
    .globl guda_switch_stack
    .hidden guda_switch_stack
    .type guda_switch_stack, @function
guda_switch_stack:
    .cfi_startproc
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movl (%rsp), %eax
    movzwl 4(%rsp), %ecx
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    xorl (%rsp), %eax
    andl $0xffffffc0, %eax
    je 1f
    ldmxcsr (%rsp)
1:  cmpw %cx, 4(%rsp)
    je 2f
    fldcw 4(%rsp)
2:  addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
    .cfi_endproc
    .size guda_switch_stack, .-guda_switch_stack

    .p2align 4
    .type guda_stack_entry, @function
guda_stack_entry:
    .cfi_startproc
    .cfi_undefined rip
    movq %r12, %rdi
    callq *%r13
    ud2
    .cfi_endproc
    .size guda_stack_entry, .-guda_stack_entry

    .p2align 4
    .globl guda_guarded_call
    .hidden guda_guarded_call
    .type guda_guarded_call, @function
guda_guarded_call:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsp, %rbx
    movabsq $0x0000037f00001f80, %rax
    movl (%rsp), %r8d
    andl $0xffffffc0, %r8d
    cmpl $0x1f80, %r8d
    je 1f
    pushq %rax
    ldmxcsr (%rsp)
    addq $8, %rsp
1:  testq %rsi, %rsi
    je 2f
    movq %rsi, %rsp
2:  andq $-16, %rsp
    movq %rcx, %rdi
    callq *%rdx
    movq %rbx, %rsp
    xorl %eax, %eax
3:  ldmxcsr (%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    .cfi_def_cfa %rsp, 8
    retq
    .cfi_endproc
    .size guda_guarded_call, .-guda_guarded_call

    .p2align 4
    .globl guda_unwind
    .hidden guda_unwind
    .type guda_unwind, @function
guda_unwind:
    .cfi_startproc
    movq (%rdi), %rsp
    cld
    fldcw 4(%rsp)
    movl $1, %eax
    jmp 3b
    .cfi_endproc
    .size guda_unwind, .-guda_unwind
)");

extern "C" {
// The assembler's local function, named so that C++ can take its address.
void guda_stack_entry_symbol() asm("guda_stack_entry");
}

namespace guda::cpu {

void* prepare_stack(void* stack_top, void (*function)(void*), void* argument) {
  auto* frame = static_cast<uint64_t*>(stack_top);
  *--frame = 0;  // ends the chain of frame pointers
  *--frame = 0;
  *--frame = reinterpret_cast<uint64_t>(&guda_stack_entry_symbol);
  *--frame = 0;                                     // rbp
  *--frame = 0;                                     // rbx
  *--frame = reinterpret_cast<uint64_t>(argument);  // r12
  *--frame = reinterpret_cast<uint64_t>(function);  // r13
  *--frame = 0;                                     // r14
  *--frame = 0;                                     // r15
  *--frame = 0x0000037f00001f80;                    // x87 control word, mxcsr
  return frame;
}

}  // namespace guda::cpu
