# How a compiler finds its assembler, linker and C library, wherever it is called: in the folder that GCC calls tooldir,
# PREFIX/TRIPLE, and that it looks into before all others. It is there before GCC is built, for its own libraries.
mkdir -p "$out/$triple"
ln -s "$binutils/bin" "$out/$triple/bin"
ln -s "$musl/lib" "$out/$triple/lib"
ln -s "$musl/include" "$out/$triple/include"
