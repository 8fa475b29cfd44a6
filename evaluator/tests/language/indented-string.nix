let x = "v"; in [
  ''
    a
      b
    c''
  ''  one line ''
  ''
    ''${no} '''quoted''' $$ $a ''\n ''\t|
     ${x}
  ''
  ''

      empty first
    ${x}  text
  ''
  ''${x}
    after''
  ''
    trailing spaces
      ''
  (''a ' b '' + "''" + ''$'')
  ''
	tab
      spaces ''\
  ''
  ''   ''
  ''
   ${x}''
]
