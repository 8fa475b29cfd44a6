# The libraries of LLVM that a compiler for x86 is linked with, and llvm-config, which says how. No tools: what turns LLVM's own
# text or bitcode into something isn't for here.
{
  stdenv,
  fetchSource,
  cmake,
  ninja,
  python3,
  tar,
  xz,
}:

stdenv.mkDerivation {
  pname = "llvm";
  version = "22.1.8";

  src =
    (fetchSource {
      name = "llvm-22.1.8";
      # Debian packs the tree of upstream's release with another name at its top.
      urls = [ ];
      hash = "sha256-tJuSd675dhYyCy2iWeH4F0xlsM4vvi6GKWRKl2k0Av4=";
      debian = {
        package = "llvm-toolchain-22";
        version = "22.1.8";
        file = "llvm-toolchain-22_22.1.8.orig.tar.xz";
      };
    }).archive;

  nativeBuildInputs = [
    cmake
    ninja
    python3
    tar
    xz
  ];

  # A tenth of the archive: Clang, the debugger and all else stay in it.
  unpackPhase = ''
    mkdir /build/source
    cd /build/source
    tar -xf "$source" --strip-components=1 llvm-toolchain-22_22.1.8/{cmake,llvm,third-party}
  '';

  configurePhase = ''
    cmake -G Ninja -S llvm -B /build/objects \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE="-O2 -DNDEBUG" -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" \
        -DCMAKE_INSTALL_PREFIX="$out" -DCMAKE_SHARED_LIBRARY_LINK_C{,XX}_FLAGS= \
        -DLLVM_HOST_TRIPLE=x86_64-unknown-linux-musl -DLLVM_TARGETS_TO_BUILD=X86 \
        -DLLVM_BUILD_TOOLS=OFF -DLLVM_BUILD_UTILS=OFF -DLLVM_INCLUDE_{TESTS,BENCHMARKS,EXAMPLES,DOCS,UTILS}=OFF \
        -DLLVM_ENABLE_{ASSERTIONS,BINDINGS,CURL,HTTPLIB,LIBEDIT,LIBPFM,LIBXML2,PLUGINS,ZLIB,ZSTD}=OFF
  '';
  buildPhase = ''
    ninja -C /build/objects -j "$NIX_BUILD_CORES" llvm-config \
        LLVM{AsmParser,BitReader,BitWriter,Coverage,Instrumentation,LTO,Linker,MIRParser,Passes,ipo} \
        LLVMX86{AsmParser,CodeGen,Desc,Disassembler,Info,TargetMCA}
  '';
  installPhase = ''
    cmake --install /build/objects --component llvm-headers >/dev/null
    mkdir -p "$out/bin" "$out/lib"
    cp /build/objects/bin/llvm-config "$out/bin"
    cp /build/objects/lib/libLLVM*.a "$out/lib"
  '';

  tests.commands = ''
    test "$(llvm-config --version)" = 22.1.8
    for library in $(llvm-config --link-static --libfiles ipo lto x86); do test -e "$library"; done
  '';

  meta = {
    description = "Optimiser and code generator for compilers";
    homepage = "https://llvm.org/";
    license = "Apache-2.0 WITH LLVM-exception";
    mainProgram = "llvm-config";
    cpe = "cpe:2.3:a:llvm:llvm:22.1.8";
  };
}
