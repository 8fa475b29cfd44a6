# What a C compiler adds to each program, before its own objects and after them.
.ifdef BEGIN
# Says which program or library a destructor belongs to.
	.data
	.hidden __dso_handle
	.globl __dso_handle
	.balign 8
__dso_handle:
	.quad __dso_handle
.else
# The end of the table of frames, for readers that have no index of it.
	.section .eh_frame, "a", @progbits
	.balign 4
	.long 0
.endif
	.section .note.GNU-stack, "", @progbits
