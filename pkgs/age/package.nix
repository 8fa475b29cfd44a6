{
  buildGoPackage,
  fetchSource,
  goModules,
}:

buildGoPackage {
  pname = "age";
  version = "1.2.1";

  src =
    (fetchSource {
      name = "age-1.2.1";
      urls = [ "https://github.com/FiloSottile/age/archive/refs/tags/v1.2.1.tar.gz" ];
      hash = "sha256-k72JoWx0lJ7nxp71gNjkz1zgPn2cRhtozxrOPkAX7vU=";
      debian = {
        package = "age";
        version = "1.2.1";
        file = "age_1.2.1.orig.tar.gz";
      };
    }).source;

  modules = [
    goModules."filippo.io/edwards25519"
    goModules."golang.org/x/crypto"
    goModules."golang.org/x/sys"
    goModules."golang.org/x/term"
  ];
  vendorHash = "blake3-BBot6grukJcT1xL6gPNc/iCAdH5gm/yznAuim1yQ9YY=";
  packages = [
    "./cmd/age"
    "./cmd/age-keygen"
  ];
  ldflags = [ "-X main.Version=v1.2.1" ];
  # The others read vectors of a module that isn't packaged.
  goTests = [
    "./armor"
    "./agessh"
    "./internal/..."
  ];

  tests.thereAndBack = ''
    age-keygen -o key 2>/dev/null
    echo secret >text
    age -r "$(age-keygen -y key)" -o closed text
    ! grep secret closed
    test "$(age -d -i key closed)" = secret
  '';

  meta = {
    description = "Files encrypted to keys that fit on a line";
    homepage = "https://age-encryption.org/";
    license = "BSD-3-Clause";
    mainProgram = "age";
  };
}
