/* Writes its second argument to the file that its first one names. Without a C library, whose start asks the processor what it
   is: on a virtual machine that alone takes as long as a fifth of a whole build. */
#define SYS_WRITE 1
#define SYS_OPEN 2
#define SYS_EXIT 60

static long call(long number, long first, long second, long third)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
}

/* The words lie above the stack's first place: their count, then each one's. */
__attribute__((used)) static void begin(long *stack)
{
    long length = 0, file, failed = 1;
    const char *text = (const char *)stack[3];
    if (stack[0] == 3) {
        while (text[length])
            length++;
        file = call(SYS_OPEN, stack[2], 0101, 0644);
        failed = file < 0 || call(SYS_WRITE, file, stack[3], length) != length;
    }
    call(SYS_EXIT, failed, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
