with builtins; [
  (substring 1 2 "abcd") (substring 2 (-1) "abcd") (substring 9 1 "abc") (stringLength "abc") (concatStringsSep ", " [ "a" "b" ])
  (replaceStrings [ "a" "" ] [ "b" "-" ] "aXa") (replaceStrings [ "oo" "a" ] [ "a" "oo" ] "foobar") (replaceStrings [ ] [ ] "x")
  (toString 1) (toString true) (toString null) (baseNameOf "/a/b/") (baseNameOf /a/b) (dirOf "/a/b") (dirOf /a/b) (dirOf "/a") (dirOf "a")
  (hashString "sha256" "") (hashString "md5" "a") (hashString "sha1" "a") (hashString "sha512" "a")
  (compareVersions "1.2" "1.10") (compareVersions "1.2pre1" "1.2") (compareVersions "1.a" "1.1") (compareVersions "1.0" "1.0") (compareVersions "2" "1.9")
  (parseDrvName "hello-world-1.2.3") (parseDrvName "hello") (splitVersion "1.2-rc3a")
  (typeOf 1) (typeOf null) (typeOf { }) (typeOf [ ]) (typeOf (x: x)) (typeOf map) (typeOf /a) (typeOf 1.5)
  (isFunction map) (isAttrs { }) (isNull null) (bitAnd 6 3) (bitOr 6 3) (bitXor 6 3) (add 1 2) (div 7 2)
]
