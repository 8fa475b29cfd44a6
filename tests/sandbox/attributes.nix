# Derivations whose attributes ask for more than an environment.
let
  inherit (import ./. { }) probe;

  leaf = builtins.toFile "leaf" "four";

  does =
    attributes: actions:
    derivation (
      {
        name = "probe-does";
        system = "x86_64-linux";
        builder = probe;
        args = [
          "does"
          (placeholder "out")
        ]
        ++ builtins.concatLists actions;
      }
      // attributes
    );

  top = does { name = "top"; } [
    [
      "write"
      (placeholder "out")
      "${leaf}"
    ]
  ];

  out = file: "${placeholder "out"}/${file}";
  folder = [
    "mkdir"
    (placeholder "out")
    ""
  ];
  copy = file: [
    "copy"
    "/build/${file}"
    (out file)
  ];

  # Mentions `leaf` through `top`, `top` in its file `b`, and itself in its file `c`.
  mentions =
    attributes:
    does attributes [
      folder
      [
        "write"
        (out "a")
        "nothing"
      ]
      [
        "write"
        (out "b")
        "${top}"
      ]
      [
        "write"
        (out "c")
        (placeholder "out")
      ]
    ];
in
{
  structured =
    does
      {
        __structuredAttrs = true;
        text = "it's";
        list = [
          1
          top
        ];
        set.key = true;
        exportReferencesGraph.graph = [ top ];
      }
      [
        folder
        (copy ".attrs.json")
        (copy ".attrs.sh")
      ];

  files =
    does
      {
        passAsFile = [ "text" ];
        text = "long";
        exportReferencesGraph = [
          "graph"
          top
        ];
      }
      [
        folder
        [
          "copy"
          "/build/.attr-${
            builtins.convertHash {
              hash = builtins.hashString "sha256" "text";
              hashAlgo = "sha256";
              toHashFormat = "nix32";
            }
          }"
          (out "text")
        ]
        (copy "graph")
      ];

  # One output mentions the other, which knows nothing of it, and itself.
  two =
    does
      {
        name = "two";
        outputs = [
          "out"
          "dev"
        ];
      }
      [
        [
          "write"
          (placeholder "out")
          "out ${placeholder "dev"} ${placeholder "out"}"
        ]
        [
          "write"
          (placeholder "dev")
          "dev"
        ]
      ];

  cycle =
    does
      {
        name = "cycle";
        outputs = [
          "out"
          "dev"
        ];
      }
      [
        [
          "write"
          (placeholder "out")
          (placeholder "dev")
        ]
        [
          "write"
          (placeholder "dev")
          (placeholder "out")
        ]
      ];

  allowed = mentions {
    name = "allowed";
    allowedReferences = [
      "out"
      top
    ];
    allowedRequisites = [
      top
      leaf
    ];
    disallowedReferences = [ leaf ];
  };
  not-allowed = mentions {
    name = "not-allowed";
    allowedReferences = [ "out" ];
  };
  not-itself = mentions {
    name = "not-itself";
    disallowedReferences = [ "out" ];
  };
  not-reached = mentions {
    name = "not-reached";
    disallowedRequisites = [ leaf ];
  };
  only-reached = mentions {
    name = "only-reached";
    allowedRequisites = [ top ];
  };
  no-path = mentions {
    name = "no-path";
    disallowedReferences = [ "lib" ];
  };
  checked = mentions {
    name = "checked";
    __structuredAttrs = true;
    outputChecks.out.allowedReferences = [ "out" ];
  };
  large = mentions {
    name = "large";
    __structuredAttrs = true;
    outputChecks.out.maxSize = 100;
  };
  large-closure = mentions {
    name = "large-closure";
    __structuredAttrs = true;
    outputChecks.out.maxSize = 200;
    outputChecks.out.maxClosureSize = 200;
  };
  misspelt-check = mentions {
    name = "misspelt-check";
    __structuredAttrs = true;
    outputChecks.out.maxSiz = 100;
  };
  misspelt-output = mentions {
    name = "misspelt-output";
    __structuredAttrs = true;
    outputChecks.ouT.maxSize = 100;
  };
}
