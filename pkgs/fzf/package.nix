{
  buildGoPackage,
  fetchSource,
  goModules,
}:

buildGoPackage {
  pname = "fzf";
  version = "0.60.3";

  src =
    (fetchSource {
      name = "fzf-0.60.3";
      urls = [ "https://github.com/junegunn/fzf/archive/refs/tags/v0.60.3.tar.gz" ];
      hash = "sha256-ve8zd3QFDCbGxKbzi8TMsJAUUIVM1/ZnyzozAWapraU=";
      debian = {
        package = "fzf";
        version = "0.60.3";
        file = "fzf_0.60.3.orig.tar.gz";
      };
    }).source;

  modules = [
    goModules."github.com/charlievieth/fastwalk"
    goModules."github.com/junegunn/go-shellwords"
    goModules."github.com/mattn/go-isatty"
    goModules."github.com/rivo/uniseg"
    goModules."golang.org/x/sys"
    goModules."golang.org/x/term"
  ];
  vendorHash = "blake3-DGe8oQVOf/7mNUPwaBi2kTQZ1mUcIO/LKypLwrdoaYw=";
  ldflags = [
    "-X main.version=0.60.3"
    "-X main.revision=sx"
  ];
  goTests = [ "./..." ];

  tests.filter = ''
    test "$(printf '%s\n' pkgs/hello store/hash | fzf --filter pkhe)" = pkgs/hello
  '';

  meta = {
    description = "Choose lines of a list by typing parts of them";
    homepage = "https://github.com/junegunn/fzf";
    license = "MIT";
    mainProgram = "fzf";
  };
}
