{ stdenv, fetchSource, bootstrap, ninja }:

stdenv.mkDerivation {
  pname = "cmake";
  version = "3.25.1";

  src =
    (fetchSource {
      name = "cmake-3.25.1";
      urls = [ "https://cmake.org/files/v3.25/cmake-3.25.1.tar.gz" ];
      hash = "sha256-HFEdCVFq9JNpTtm68TxVlHo2OJZ01lei1eDM7caykdg=";
      debian = {
        package = "cmake";
        version = "3.25.1";
        file = "cmake_3.25.1.orig.tar.gz";
      };
    }).source;

  # A header of the kernel, for copies that share blocks; what uses it asks whether it is defined.
  postPatch = ''sed -i '/# *include <linux\/fs.h>/d' Source/kwsys/SystemTools.cxx'';

  # It compiles a small cmake, which compiles the whole. What is left out is HTTPS, for file(DOWNLOAD), and windows of Qt and curses.
  configurePhase = ''
    CFLAGS=-O0 CXXFLAGS=-O0 $SHELL ./bootstrap --prefix="$out" --parallel="$NIX_BUILD_CORES" --no-system-libs --no-qt-gui -- \
        -DCMAKE_BUILD_TYPE=Release -DCMAKE_{C,CXX}_FLAGS= -DCMAKE_{C,CXX}_FLAGS_RELEASE="-O2 -DNDEBUG" \
        -DCMAKE_USE_OPENSSL=OFF -DBUILD_CursesDialog=OFF -DBUILD_TESTING=OFF
  '';
  # Manuals, and what editors and shells would load.
  postInstall = ''rm -rf "$out"/doc "$out"/share/{aclocal,bash-completion,emacs,vim} "$out"/share/cmake-*/Help'';

  tests.generators = ''
    printf '%s\n' 'cmake_minimum_required(VERSION 3.20)' 'project(greet C CXX)' 'add_library(greeting greeting.cpp)' \
        'add_executable(greet main.c)' 'target_link_libraries(greet greeting)' >CMakeLists.txt
    echo 'extern "C" const char *greeting() { return "a greeting"; }' >greeting.cpp
    printf '#include <stdio.h>\nconst char *greeting(void);\nint main(void) { return puts(greeting()) < 0; }\n' >main.c
    for generator in Ninja "Unix Makefiles"; do
      cmake -G "$generator" -S . -B "$generator" >/dev/null && cmake --build "$generator" >/dev/null
      test "$("./$generator/greet")" = "a greeting"
    done
  '';
  testInputs = [
    ninja
    stdenv.cc
    bootstrap.binutils
  ];

  meta = {
    description = "Maker of makefiles and files of ninja from descriptions of programs";
    homepage = "https://cmake.org/";
    license = "BSD-3-Clause";
    mainProgram = "cmake";
    cpe = "cpe:2.3:a:kitware:cmake:3.25.1";
  };
}
