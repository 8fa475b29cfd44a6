{ isDefault = true; inner = import ./value.nix; }
