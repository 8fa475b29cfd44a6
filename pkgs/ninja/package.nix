{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "ninja";
  version = "1.12.1";

  src =
    (fetchSource {
      name = "ninja-1.12.1";
      urls = [ "https://github.com/ninja-build/ninja/archive/v1.12.1.tar.gz" ];
      hash = "sha256-ghvf9Io/aDvEuztvC1/nstZHz2XVKutjMoyRpsbfKFo=";
      debian = {
        package = "ninja-build";
        version = "1.12.1";
        file = "ninja-build_1.12.1.orig.tar.gz";
      };
    }).source;

  # Its configure script is Python; what it would do is this. The lexers are those that upstream made with re2c.
  buildPhase = ''
    objects=
    for file in src/*.cc; do
        case $file in
            *_test.cc | *_perftest.cc | src/test.cc | src/hash_collision_bench.cc) continue ;;
            *.in.cc | *win32* | *msvc* | src/getopt.cc | src/browse.cc) continue ;;
        esac
        objects="$objects ''${file%.cc}.o"
    done
    printf '%s\n' "ninja: $objects" '	$(CXX) -o $@ $^' '%.o: %.cc' '	$(CXX) $(CXXFLAGS) -std=c++11 -DNDEBUG -c -o $@ $<' >makefile
    make -j"$NIX_BUILD_CORES" SHELL="$SHELL"
  '';
  installPhase = ''
    mkdir -p "$out/bin"
    cp ninja "$out/bin"
  '';

  tests.commands = ''
    printf 'rule copy\n  command = %s\nbuild two: copy one\nbuild three: copy two\n' 'cp $in $out' >build.ninja
    echo text >one
    ninja three >/dev/null && test "$(cat three)" = text
    ninja three | grep -q 'no work to do'
  '';

  meta = {
    description = "Builder by files that other programs write";
    homepage = "https://ninja-build.org/";
    license = "Apache-2.0";
    mainProgram = "ninja";
    cpe = "cpe:2.3:a:ninja-build:ninja:1.12.1";
  };
}
