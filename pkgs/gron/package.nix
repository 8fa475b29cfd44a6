{
  buildGoPackage,
  fetchSource,
  goModules,
}:

buildGoPackage {
  pname = "gron";
  version = "0.7.1";

  src =
    (fetchSource {
      name = "gron-0.7.1";
      hash = "sha256-/NErG3orTZ6DQKRRKF/WefLWaTM0k1HFJ6w6XWy0b6k=";
      debian = {
        package = "gron";
        version = "0.7.1";
        file = "gron_0.7.1.orig.tar.xz";
      };
    }).source;

  modules = [
    goModules."github.com/fatih/color"
    goModules."github.com/mattn/go-colorable"
    goModules."github.com/mattn/go-isatty"
    goModules."github.com/nwidger/jsoncolor"
    goModules."github.com/pkg/errors"
    goModules."golang.org/x/sys"
  ];
  vendorHash = "blake3-IA9j1PsMROaaTiuHCyuRSQpvE9W4cNlyltdG3NLTScs=";
  ldflags = [ "-X main.gronVersion=0.7.1" ];
  goTests = [ "./..." ];

  tests.thereAndBack = ''
    text='{"a": [1, {"b": "two"}]}'
    test "$(echo "$text" | gron | grep two)" = 'json.a[1].b = "two";'
    test "$(echo "$text" | gron | gron --ungron | tr -d " \n")" = '{"a":[1,{"b":"two"}]}'
  '';

  meta = {
    description = "JSON as lines that grep finds things in, and back";
    homepage = "https://github.com/tomnomnom/gron";
    license = "MIT";
    mainProgram = "gron";
  };
}
