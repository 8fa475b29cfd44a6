# What a C compiler would link first into a program of glibc, and what it adds to a shared library.
	.text
.ifdef PROGRAM
# The kernel gives argc and argv on the stack, the loader its own finish function in rdx. Constructors are run by
# glibc itself, so none are named.
	.globl _start
	.type _start, @function
_start:
	xor %ebp, %ebp
	mov %rdx, %r9
	pop %rsi
	mov %rsp, %rdx
	and $-16, %rsp
	push %rax
	push %rsp
	xor %r8d, %r8d
	xor %ecx, %ecx
	mov main@GOTPCREL(%rip), %rdi
	call *__libc_start_main@GOTPCREL(%rip)
	hlt
.endif

# Says which program or library a destructor belongs to.
	.data
	.hidden __dso_handle
	.globl __dso_handle
	.balign 8
__dso_handle:
.ifdef PROGRAM
	.quad 0
.else
	.quad __dso_handle
.endif
	.section .note.GNU-stack, "", @progbits
