import ./broken/cycle-a.nix
