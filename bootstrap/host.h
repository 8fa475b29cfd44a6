/* host.h - what c0 declares itself, for the compilers of the host */
long syscall(long, ...);
