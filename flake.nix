{
  description = "Packages from a seed of about 200 bytes, realised in sandboxes, exported as minimal OCI images";

  # sx calls this with `self`; so does Nix, which evaluates the same attributes but cannot build what begins at a
  # `builtin:` of sx.
  outputs =
    { self }:
    let
      bootstrap = import ./bootstrap;
      pkgs = import ./pkgs { inherit bootstrap; };
    in
    {
      inherit bootstrap pkgs;
      legacyPackages.x86_64-linux = pkgs;
      lib.image = pkgs.image;
    };
}
