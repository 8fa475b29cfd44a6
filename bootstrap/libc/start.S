/* start.S - what libc.c cannot say in C, for tcc (System V calling convention).
   cc.c, which calls otherwise, brings these four itself.  */
.globl _start, __syscall, setjmp, longjmp
_start:
    xor %ebp, %ebp              /* rsp is a multiple of 16 here: as every call needs it */
    mov (%rsp), %rdi            /* argc */
    lea 8(%rsp), %rsi           /* argv */
    call main
    mov %eax, %edi
    call exit

__syscall:                      /* number and up to 4 arguments */
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    syscall
    ret

setjmp:
    mov %rbx, (%rdi)            /* what a callee keeps, */
    mov %rbp, 8(%rdi)
    mov %r12, 16(%rdi)
    mov %r13, 24(%rdi)
    mov %r14, 32(%rdi)
    mov %r15, 40(%rdi)
    lea 8(%rsp), %rdx           /* and stack and address after the return */
    mov %rdx, 48(%rdi)
    mov (%rsp), %rdx
    mov %rdx, 56(%rdi)
    xor %eax, %eax
    ret

longjmp:
    mov %esi, %eax              /* the result: 0 would look like setjmp itself */
    test %eax, %eax
    jne 1f
    inc %eax
1:
    mov (%rdi), %rbx
    mov 8(%rdi), %rbp
    mov 16(%rdi), %r12
    mov 24(%rdi), %r13
    mov 32(%rdi), %r14
    mov 40(%rdi), %r15
    mov 48(%rdi), %rsp
    mov 56(%rdi), %rdx
    jmp *%rdx
