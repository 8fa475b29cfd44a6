import ./broken/broken.nix
