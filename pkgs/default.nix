# The package set: every folder here that holds a package.nix is a package of that name. There is no list to merge.
#
# A package.nix is a function whose arguments are attributes of the set: other packages, `bootstrap`, and the functions
# of pkgs/lib. `callPackage ./some/package.nix { zlib = other; }` replaces some of them, and so does `pkgs.some.override`.
{
  bootstrap,
  # Changes to the set, each a function of the finished set and of the one before it: `final: previous: { … }`.
  overlays ? [ ],
}:
let
  inherit (builtins)
    attrNames
    filter
    foldl'
    functionArgs
    intersectAttrs
    listToAttrs
    pathExists
    readDir
    ;

  fix = function: let result = function result; in result;

  overridable = import ./lib/overridable.nix;

  isPackage = name: pathExists (./. + "/${name}/package.nix");

  packages =
    self:
    listToAttrs (
      map (name: {
        inherit name;
        value = self.callPackage (./. + "/${name}/package.nix") { };
      }) (filter isPackage (attrNames (readDir ./.)))
    );

  set =
    self:
    packages self
    // {
      inherit bootstrap;
      # What packages are compiled with, as the climb made it.
      inherit (bootstrap) gcc binutils musl;

      callPackage =
        path: replaced:
        let
          function = if builtins.isFunction path then path else import path;
        in
        overridable function (intersectAttrs (functionArgs function) self // replaced);

      stdenv = overridable (import ./stdenv) {
        cc = {
          package = bootstrap.gcc;
          libc = bootstrap.musl;
          variables = {
            CC = "gcc";
            CXX = "g++";
            CFLAGS = "-O2";
            CXXFLAGS = "-O2";
          };
        };
        binutils = bootstrap.binutils;
        shell = bootstrap.bash;
        inherit (bootstrap) patch;
        tools = [
          bootstrap.make
          bootstrap.mawk
          bootstrap.grep
          bootstrap.sed
          bootstrap.busybox
        ];
        buildPlatform = {
          system = "x86_64-linux";
          config = "x86_64-linux-musl";
        };
      };

      # Where what runs while a package is built comes from: this set, unless it is made for another platform.
      buildPackages = self;

      fetchSource = import ../bootstrap/source.nix { inherit (bootstrap) fetch; };

      buildProgram = import ./lib/build-program.nix { inherit bootstrap; };
      buildRustPackage = import ./lib/build-rust-package.nix { inherit bootstrap; inherit (self) rust; };
      fetchCrate = import ./lib/fetch-crate.nix { inherit bootstrap; };
      buildGoPackage = import ./lib/build-go-package.nix { inherit bootstrap; inherit (self) go stdenv; };
      goModules = import ./lib/go-modules.nix { inherit (self) fetchSource; };

      # Images that aren't one package; a flake offers it as `lib.image`.
      image = import ./lib/image.nix;
    };

  extended = foldl' (function: overlay: self: let previous = function self; in previous // overlay self previous) set overlays;
in
fix extended
