# c0.m - a compiler for C0, a small part of C, in machine code words.
#
# usage: c0 SOURCE OUTPUT
#
# C0 is C with long, char *, char **, arrays of long and char with a number as length, enum constants,
# functions, if, else, while, return, assignment to a name or an element, calls, and the operators
# || && | ^ & == != < > <= >= << >> + - * / %, all on 8 byte integers.  There are no unary
# operators, no types but these and no preprocessor; /* */ is a comment.  A char is unsigned and an
# index into a char pointer counts bytes, into all else 8 bytes.  main is called with argc and argv, and
# syscall(number, a, b, c) is known.  gcc -funsigned-char -fno-builtin -include host.h takes C0 too.
#
# The output is a static ELF executable, mode 0755, in one segment.  An error, a source that cannot be
# read or an output that cannot be written ends with an exit code other than 0; a wrong source is shown
# as its line number and the text there.  Limits: 1 MiB of source, 1 MiB of code; both are checked.
# Left out (gcc, which compiles the same source, reports these): types aren't checked, nor the number
# of arguments; a function that is declared must be defined; a local name is known to the end of its
# function; names are the same if the exclusive or of their groups of 8 characters is.
#
# rsi  the text, at its next character      r14  where the next global goes
# rdi  the program, at its next byte        r15  end of the symbol table
# r8d  the token: its one or two characters, "a" for a name, "0" for a number,
#      a double quote for a string, 0 at the end of the text
# rbx  value of a number, name of a name    r13d size of the function's frame
#
# A symbol is 32 bytes: name, kind, value, size of what it points to.  Kinds:
# 0 constant or array, 1 global, 2 local at rbp + value, 3 function.
#
# The program is built at 10100000, where it will run; its globals start at
# 10200000.  The text is read to 10400000, the symbols are at 10600000.

# ---- the words ---------------------------------------------------------

=call             E8
=jmp              E9
=je               0F84
=jne              0F85
=jb               0F82
=jae              0F83
=jbe              0F86
=ja               0F87
=ret              C3
=syscall          0F05
=push_rax         50
=push_rcx         51
=push_rdx         52
=push_rbx         53
=push_rsi         56
=push_rdi         57
=push_r10         4152
=push_r11         4153
=push_r12         4154
=push_r15         4157
=pop_rax          58
=pop_rcx          59
=pop_rdx          5A
=pop_rbx          5B
=pop_rsi          5E
=pop_rdi          5F
=pop_r10          415A
=pop_r11          415B
=pop_r12          415C
=pop_r15          415F
=lodsb            AC
=stosb            AA
=stosd            AB
=stosq            48AB
=rep_movsb        F3A4
=xchg_rsi,[rsp]   48873424
=xor_eax,eax      31C0
=xor_ebx,ebx      31DB
=xor_ecx,ecx      31C9
=xor_esi,esi      31F6
=xor_r10d,r10d    4531D2
=xor_r12d,r12d    4531E4
=xor_r13d,r13d    4531ED
=xor_rbx,rax      4831C3
=mov_eax,         B8
=mov_ecx,         B9
=mov_edx,         BA
=mov_esi,         BE
=mov_edi,         BF
=mov_r8d,         41B8
=mov_r11d,        41BB
=mov_r14d,        41BE
=mov_r15d,        41BF
=mov_eax,edi      89F8
=mov_eax,ebx      89D8
=mov_edi,eax      89C7
=mov_ebx,eax      89C3
=mov_ecx,eax      89C1
=mov_edx,eax      89C2
=mov_r8d,eax      4189C0
=mov_eax,r12d     4489E0
=mov_r12d,ebx     4189DC
=mov_rdx,r15      4C89FA
=mov_al,[rsi]     8A06
=movzx_eax,[rsi]  0FB706
=movzx_eax,[rdx]  0FB702
=movzx_eax,al     0FB6C0
=movzx_ecx,[rdx+3] 0FB64A03
=movzx_eax,[rdx+2] 0FB64202
=mov_al,[rdx+4]   8A4204
=lea_rsi,[rdx+4]  488D7204
=mov_[rdx],eax    8902
=mov_[rdx],r13d   44892A
=mov_eax,[rdx+8]  8B4208
=mov_eax,[rdx+10] 8B4210
=mov_rax,[rdx+10] 488B4210
=mov_eax,[rdx+18] 8B4218
=mov_[rdx+10],ecx 894A10
=mov_[r15],rbx    49891F
=mov_[r15+8],eax  41894708
=mov_[r15+10],rcx 49894F10
=mov_[r15+18],r11 4D895F18
=mov_[abs],rbx    48891C25
=mov_[abs],eax    890425
=inc_rsi          48FFC6
=inc_r12d         41FFC4
=neg_rcx          48F7D9
=add_r12d,        4183C4
=add_r13d,8       4183C508
=add_r14d,        4183C6
=add_rsi,2        4883C602
=add_rdx,10       4883C210
=add_r15,20       4983C720
=add_cl,8         80C108
=add_ecx,8        83C108
=add_al,9         0409
=add_rbx,rax      4801C3
=add_r14d,eax     4101C6
=sub_al,          2C
=sub_dl,          80EA
=sub_eax,         83E8
=sub_eax,edi      29F8
=sub_eax,edx      29D0
=sub_edx,esi      29F2
=sub_ecx,esi      29F1
=sub_eax,dword    2D
=test_r8d,r8d     4585C0
=inc_eax          FFC0
=cmp_rdx,[rsp+8]  483B542408
=mov_edx,edi      89FA
=lodsq            48AD
=cmp_rax,rbx      4839D8
=sub_rdx,20       4883EA20
=and_eax,F        83E00F
=and_r14d,        4183E6
=or_dl,20         80CA20
=shl_rax,cl       48D3E0
=shl_rbx,4        48C1E304
=imul_rbx,10      486BDB0A
=imul_ebx,r11d    410FAFDB
=test_al,al       84C0
=test_al,40       A840
=test_eax,eax     85C0
=cmp_al,          3C
=cmp_ah,          80FC
=cmp_dl,          80FA
=cmp_eax,         83F8
=cmp_r8d,         4183F8
=cmp_al,ah        38E0
=cmp_eax,r8d      4439C0
=cmp_eax,r10d     4439D0
=cmp_[rdx],rbx    48391A
=cmp_[rsi]w,      66813E
=mov_rax,         48B8
=cmp_rdx,         4881FA
=mov_ecx,r12d     4489E1
=movsxd_rcx,r13d  4963CD
=lea_rdx,[r15-20] 498D57E0
=mov_r10d,eax     4189C2
=clc              F8
=stc              F9
=inc_r10d         41FFC2
=mov_eax,r14d     4489F0
=mov_ecx,r14d     4489F1
=mov_ecx,edi      89F9
=cmp_eax,dword    3D
=neg_eax          F7D8
=sbb_edi,edi      19FF
=cmp_edi,esi      39F7
=cmp_[rdi],byte   803F
=inc_ecx          FFC1
=inc_edi          FFC7
=dec_edi          FFCF
=mov_eax,ecx      89C8
=mov_[rdi],word   66C707
=mov_[rdi],dl     8817
=xor_edx,edx      31D2
=div_ecx          F7F1
=add_dl,          80C2
=mov_esi,edi      89FE

=need             E8 %l_need          # need "x: the token must be x; take the next
=emit             E8 %l_emit          # emit n bytes: add them to the program
=next             E8 %l_next
=is               E8 %l_is            # is "x: equal if the name rbx is x (8 bytes)

# ---- ELF header ----------------------------------------------------------

:file
7F "ELF 02 01 01 00 00000000 00000000
0200 3E00 01000000
&start 00000000
38000000 00000000 00000000 00000000 00000000
4000 3800 0100 0000 0700 0000
00000000 00000000
&file 00000000 &file 00000000
00100000 00000000                     # one page of file, 15 MB of memory
0000F000 00000000 00100000 00000000

# ---- tokens --------------------------------------------------------------

:alnum                                # carry: al is a letter, a digit or _
 mov_edx,eax
 or_dl,20
 sub_dl, 30
 cmp_dl, 0A
 jb %l_ret                            # a digit
 sub_dl, 31
 cmp_dl, 1A
 jb %l_ret                            # a letter
 cmp_dl, 1E
 jne %not_alnum
 stc                                  # _
:l_ret ret
:not_alnum clc
 ret

:skip inc_rsi
:l_next
 xor_eax,eax
 mov_al,[rsi]
 mov_r8d,eax
 test_al,al
 je %l_ret                            # the end of the text
 cmp_al, 20
 jbe %skip
 cmp_[rsi]w, "/*
 jne %no_comment
:comment inc_rsi
 cmp_[rsi]w, "*/
 jne %comment
 add_rsi,2
 jmp %l_next
:no_comment
 cmp_al, ""
 je %skip_quote
 cmp_al, "'
 je %character
 call %alnum
 jae %operator
 xor_ebx,ebx
 xor_ecx,ecx
 cmp_al, "9
 ja %name

 mov_r8d, "0 000000                   # a number
 cmp_[rsi]w, "0x
 je %hex
:digit
 mov_al,[rsi]
 sub_al, 30
 cmp_al, 0A
 jae %l_ret
 imul_rbx,10
 add_rbx,rax
 inc_rsi
 jmp %digit
:hex add_rsi,2
:hex_digit
 mov_al,[rsi]
 call %alnum
 jae %l_ret
 test_al,40
 je %hex_low
 add_al,9
:hex_low and_eax,F
 shl_rbx,4
 add_rbx,rax
 inc_rsi
 jmp %hex_digit

:name mov_r8d, "a 000000              # its characters, mixed into 8 bytes
:letter
 xor_eax,eax
 mov_al,[rsi]
 call %alnum
 jae %l_ret
 shl_rax,cl
 xor_rbx,rax
 add_cl,8
 inc_rsi
 jmp %letter

:character inc_rsi
 call %escape
 mov_ebx,eax
 mov_r8d, "0 000000
:skip_quote inc_rsi
 ret

:escape                               # al: a character of a string
 lodsb
 cmp_al, "\
 jne %l_ret
 lodsb
 cmp_al, "n
 jne %l_ret
 mov_eax, 0A000000
 ret

:operator
 movzx_eax,[rsi]
 inc_rsi
 cmp_ah, "=
 jne %doubled
 cmp_al, "!
 je %two
 cmp_al, "<
 jb %one
 cmp_al, ">
 jbe %two
:one movzx_eax,al
 mov_r8d,eax
 ret
:doubled
 cmp_al,ah
 jne %one
 cmp_al, "&
 je %two
 cmp_al, "|
 je %two
 cmp_al, "<
 je %two
 cmp_al, ">
 jne %one
:two inc_rsi
 mov_r8d,eax
 ret

:l_need                               # the byte after the call is the token
 xchg_rsi,[rsp]
 xor_eax,eax
 lodsb
 xchg_rsi,[rsp]
 cmp_eax,r8d
 je %l_next

:error                                # exit code 1, line number and text on stderr
 mov_ecx, 01000000
 mov_edi, 00004010
:error_line                           # lines end in 0A, from the start up to rsi
 cmp_edi,esi
 jae %error_number
 cmp_[rdi],byte 0A
 jne %error_same
 inc_ecx
:error_same inc_edi
 jmp %error_line
:error_number                         # ecx as digits, last one first, before ": "
 mov_eax,ecx
 mov_edi, 18006010
 mov_[rdi],word ": 20
:error_digit
 xor_edx,edx
 mov_ecx, 0A000000
 div_ecx
 add_dl, 30
 dec_edi
 mov_[rdi],dl
 test_eax,eax
 jne %error_digit
 push_rsi
 mov_esi,edi
 mov_edx, 1A006010
 sub_edx,esi
 mov_edi, 02000000
 mov_eax, 01000000
 syscall
 pop_rsi
 mov_edx, 50000000                    # 80 characters of the text
 mov_edi, 02000000
 mov_eax, 01000000
 syscall
 mov_edi, 01000000
 mov_eax, 3C000000
 syscall

:l_emit                               # a count and the bytes follow the call
 xchg_rsi,[rsp]
 xor_eax,eax
 lodsb
 mov_ecx,eax
 rep_movsb
 xchg_rsi,[rsp]
 ret

# ---- symbols -------------------------------------------------------------

:find                                 # rdx: the symbol named rbx, or the bottom
 mov_[abs],rbx 00006010
 mov_rdx,r15
:find_next
 sub_rdx,20
 cmp_[rdx],rbx
 jne %find_next
 cmp_rdx, 00006010                    # equal: not found
 ret

:add                                  # a symbol: rbx, eax, rcx, r11
 mov_[r15],rbx
 mov_[r15+8],eax
 mov_[r15+10],rcx
 mov_[r15+18],r11
 add_r15,20
 ret

:l_is                                 # the 8 bytes after the call are the name
 xchg_rsi,[rsp]
 lodsq
 xchg_rsi,[rsp]
 cmp_rax,rbx
 ret

:is_type                              # equal: the token is long or char
 is "long 00000000
 je %l_ret
 is "char 00000000
 ret

:type                                 # r11d: size of what a name of it points to
 mov_r11d, 08000000
 is "long 00000000
 je %stars
 is "char 00000000
 jne %error
 mov_r11d, 01000000
:stars
 next
 cmp_r8d, "*
 jne %l_ret
 next
 cmp_r8d, "*
 jne %l_ret
 mov_r11d, 08000000
 next
 ret

# ---- expressions: the value goes to rax ----------------------------------

:load                                 # the symbol rdx
 mov_eax,[rdx+8]
 cmp_eax, 01
 je %load_global
 ja %load_local
 emit 02 48B8                         # mov rax, constant
 mov_rax,[rdx+10]
 stosq
 ret
:load_global
 emit 04 488B0425                     # mov rax, [address]
 jmp %value
:load_local
 emit 03 488B85                       # mov rax, [rbp + offset]
:value mov_eax,[rdx+10]
 stosd
 ret

:primary
 cmp_r8d, "0
 je %number
 cmp_r8d, ""
 je %string
 cmp_r8d, "(
 je %paren
 cmp_r8d, "a
 jne %error
 call %find
 je %error
 push_rdx
 next
 pop_rdx
 cmp_r8d, "(
 je %function_call
 cmp_r8d, "[
 je %index
 cmp_r8d, "=
 jne %load

 push_rdx                             # variable = value
 next
 call %expression
 pop_rdx
 mov_eax,[rdx+8]
 cmp_eax, 01
 jb %error
 ja %store_local
 emit 04 48890425                     # mov [address], rax
 jmp %value
:store_local
 emit 03 488985                       # mov [rbp + offset], rax
 jmp %value

:number
 emit 02 48B8                         # mov rax, constant
 push_rbx
 pop_rax
 stosq
 jmp %l_next

:paren
 next
 call %expression
 need ")
 ret

:string                               # the program calls over the text
 emit 01 E8
 push_rdi
 stosd
:string_next
 xor_eax,eax
 mov_al,[rsi]
 cmp_al, ""
 je %string_end
 call %escape
 stosb
 jmp %string_next
:string_end
 inc_rsi
 xor_eax,eax
 stosb
 call %patch
 emit 01 58                           # pop rax
 jmp %l_next

:patch                                # the jump pushed before the call lands here
 pop_rcx
 pop_rdx
 push_rcx
 mov_eax,edi
 sub_eax,edx
 sub_eax, 04
 mov_[rdx],eax
 ret

:index                                # name [ ... ], maybe = value
 push_rdx
 call %load
 emit 01 50                           # push rax
 next
 call %expression
 need "]
 pop_rdx
 emit 01 59                           # pop rcx
 mov_eax,[rdx+18]
 cmp_eax, 01
 je %index_bytes
 emit 04 488D04C1                     # lea rax, [rcx + rax * 8]
 cmp_r8d, "=
 je %index_store
 emit 03 488B00                       # mov rax, [rax]
 ret
:index_bytes
 emit 03 4801C8                       # add rax, rcx
 cmp_r8d, "=
 je %index_store
 emit 03 0FB600                       # movzx eax, byte [rax]
 ret
:index_store
 push_rdx
 emit 01 50                           # push rax
 next
 call %expression
 pop_rdx
 emit 01 59                           # pop rcx
 mov_eax,[rdx+18]
 cmp_eax, 01
 je %store_byte
 emit 03 488901                       # mov [rcx], rax
 ret
:store_byte
 emit 02 8801                         # mov [rcx], al
 ret

:function_call                        # arguments are pushed, the first one first
 push_r12
 push_rdx
 xor_r12d,r12d
 next
:argument
 cmp_r8d, ")
 je %arguments_end
 call %expression
 emit 01 50                           # push rax
 add_r12d, 08
 cmp_r8d, ",
 jne %argument
 next
 jmp %argument
:arguments_end
 next
 emit 01 E8                           # call
 pop_rdx
 mov_eax,[rdx+10]
 sub_eax,edi
 sub_eax, 04
 stosd
 emit 03 4881C4                       # add rsp, size
 mov_eax,r12d
 stosd
 pop_r12
 ret

:expression xor_r10d,r10d
:binary                               # operators of precedence r10d and up
 push_r10
 call %primary
 pop_r10
:binary_next
 mov_edx, &operators
:find_operator
 movzx_eax,[rdx]
 test_eax,eax
 je %l_ret
 cmp_eax,r8d
 je %found
 add_rdx,10
 jmp %find_operator
:found
 movzx_eax,[rdx+2]
 and_eax,F
 cmp_eax,r10d
 jb %l_ret
 push_r10
 push_rdx
 mov_r10d,eax
 inc_r10d
 cmp_eax, 02
 jbe %logical
 emit 01 50                           # push rax
 next
 call %binary
 emit 04 4889C158                     # mov rcx, rax; pop rax
 pop_rdx
 push_rsi
 lea_rsi,[rdx+4]
 movzx_ecx,[rdx+3]
 rep_movsb
 pop_rsi
 pop_r10
 jmp %binary_next
:logical
 emit 04 4885C00F                     # test rax, rax
 mov_al,[rdx+4]
 stosb                                # je, jne
 pop_rdx
 push_rdi
 stosd
 next
 call %binary
 call %patch
 emit 0A 4885C0 0F95C0 0FB6C0 90      # test rax, rax; setne al; movzx eax, al
 pop_r10
 jmp %binary_next

:operators                            # token, precedence, length, code
"|| 01 00 85 00000000 00000000 000000
"&& 02 00 84 00000000 00000000 000000
"| 00 03 03 4809C8 0000000000 00000000
"^ 00 04 03 4831C8 0000000000 00000000
"& 00 05 03 4821C8 0000000000 00000000
"== 06 09 4839C8 0F94C0 0FB6C0 000000
"!= 06 09 4839C8 0F95C0 0FB6C0 000000
"< 00 07 09 4839C8 0F9CC0 0FB6C0 000000
"> 00 07 09 4839C8 0F9FC0 0FB6C0 000000
"<= 07 09 4839C8 0F9EC0 0FB6C0 000000
">= 07 09 4839C8 0F9DC0 0FB6C0 000000
"<< 08 03 48D3E0 0000000000 00000000
">> 08 03 48D3F8 0000000000 00000000
"+ 00 09 03 4801C8 0000000000 00000000
"- 00 09 03 4829C8 0000000000 00000000
"* 00 0A 04 480FAFC1 00000000 00000000
"/ 00 0A 05 4899 48F7F9 00000000 000000
"% 00 0A 08 4899 48F7F9 4889D0 00000000
0000

# ---- statements ----------------------------------------------------------

:statement
 cmp_r8d, "{
 je %block
 cmp_r8d, "a
 jne %simple
 is "if 000000000000
 je %if
 is "while 000000
 je %while
 is "return 0000
 je %return
 call %is_type
 je %local
:simple
 call %expression
 need ";
 ret

:block
 next
:block_next
 cmp_r8d, "}
 je %l_next
 call %statement
 jmp %block_next

:condition                            # ( ... ): a jump to patch, taken if it is 0
 next
 need "(
 call %expression
 need ")
 emit 05 4885C00F84                   # test rax, rax; je
 pop_rcx
 push_rdi
 stosd
 push_rcx
 ret

:if
 call %condition
 call %statement
 cmp_r8d, "a
 jne %patch_ret
 is "else 00000000
 jne %patch_ret
 emit 01 E9                           # jmp
 pop_rdx
 push_rdi
 stosd
 push_rdx
 call %patch
 next
 call %statement
:patch_ret
 call %patch
 ret

:while
 push_rdi
 call %condition
 call %statement
 emit 01 E9                           # jmp
 pop_rdx
 pop_rax
 push_rdx
 sub_eax,edi
 sub_eax, 04
 stosd
 call %patch
 ret

:return
 next
 cmp_r8d, ";
 je %return_end
 call %expression
:return_end
 emit 02 C9C3                         # leave; ret
 need ";
 ret

:local                                # type name [= value];
 call %type
 cmp_r8d, "a
 jne %error
 add_r13d,8
 movsxd_rcx,r13d
 neg_rcx
 mov_eax, 02000000
 call %add
 push_rcx
 next
 pop_rcx
 cmp_r8d, "=
 jne %local_end
 push_rcx
 next
 call %expression
 emit 03 488985                       # mov [rbp + offset], rax
 pop_rax
 stosd
:local_end
 need ";
 ret

# ---- declarations --------------------------------------------------------

:declaration
 is "enum 00000000
 je %enum
 call %type
 cmp_r8d, "a
 jne %error
 push_rbx
 next
 pop_rbx
 cmp_r8d, "(
 je %function
 and_r14d, F8
 add_r14d, 08
 mov_ecx,r14d
 cmp_r8d, "[
 je %array
 mov_eax, 01000000
 call %add
 add_r14d, 08
 need ";
 ret

:array
 xor_eax,eax
 call %add
 push_r11
 next
 cmp_r8d, "0
 jne %error
 pop_r11
 imul_ebx,r11d
 mov_eax,ebx
 add_r14d,eax
 next
 need "]
 need ";
 ret

:enum
 next
 need "{
 xor_r12d,r12d
:enum_next
 cmp_r8d, "a
 jne %error
 push_rbx
 next
 cmp_r8d, "=
 jne %enum_add
 next
 cmp_r8d, "0
 jne %error
 mov_r12d,ebx
 next
:enum_add
 pop_rbx
 xor_eax,eax
 mov_ecx,r12d
 call %add
 inc_r12d
 cmp_r8d, ",
 jne %enum_end
 next
 jmp %enum_next
:enum_end
 need "}
 need ";
 ret

:function                             # it is called through a jump, patched later
 call %find
 jne %known
 mov_ecx,edi
 mov_eax, 03000000
 call %add
 lea_rdx,[r15-20]
 emit 05 E900000000                   # jmp body
:known
 push_r15
 push_rdx
 next
:parameter
 cmp_r8d, ")
 je %parameters_end
 call %type
 mov_eax, 02000000
 call %add
 next
 cmp_r8d, ",
 jne %parameter
 next
 jmp %parameter
:parameters_end
 next
 mov_rdx,r15                          # the last one is the nearest
 mov_ecx, 10000000
:place
 sub_rdx,20
 cmp_rdx,[rsp+8]
 jb %placed
 mov_[rdx+10],ecx
 add_ecx,8
 jmp %place
:placed
 pop_rdx
 cmp_r8d, ";
 je %prototype
 mov_eax,[rdx+10]
 inc_eax
 push_rax
 call %patch
 emit 07 554889E54881EC               # push rbp; mov rbp, rsp; sub rsp, size
 push_rdi
 stosd
 xor_r13d,r13d
 cmp_r8d, "{
 jne %error
 call %block
 emit 02 C9C3                         # leave; ret
 pop_rdx
 mov_[rdx],r13d
 pop_r15
 ret
:prototype
 pop_r15
 jmp %l_next

# ---- the program ---------------------------------------------------------

:start
 pop_rcx
 pop_rcx
 pop_rdi                              # open, read the source
 xor_esi,esi
 mov_eax, 02000000
 syscall
 mov_edi,eax
 mov_esi, 00004010
 mov_edx, 00001000
 xor_eax,eax
 syscall
 sub_eax, 01                          # 1 to FFFFF bytes, all of the file
 cmp_eax,dword FFFF0F00
 jae %error
 push_rsi
 mov_edi, 00001010
 mov_esi, &header
 mov_ecx, &code
 sub_ecx,esi
 rep_movsb
 mov_r14d, 00002010
 mov_r15d, 20006010
 mov_rax, "syscall 00
 push_rax
 pop_rbx
 mov_eax, 03000000
 mov_ecx,edi
 call %add
 emit 05 488B442420                   # mov rax, [rsp+32]
 emit 05 488B7C2418                   # mov rdi, [rsp+24]
 emit 05 488B742410                   # mov rsi, [rsp+16]
 emit 05 488B542408                   # mov rdx, [rsp+8]
 emit 03 0F05C3                       # syscall; ret
 pop_rsi
 next
:more
 call %declaration
 test_r8d,r8d
 jne %more

 mov_rax, "main 00000000              # finish: call main, memory size, write
 push_rax
 pop_rbx
 call %find
 je %error
 mov_eax,[rdx+10]
 sub_eax,dword 7B001010
 mov_[abs],eax 77001010
 mov_eax,edi
 sub_eax,dword 00001010
 mov_[abs],eax 58001010               # file size
 mov_eax,r14d
 sub_eax,dword 00001010
 mov_[abs],eax 60001010               # memory size
 mov_edx,edi
 cmp_rdx, 00002010                    # code must end where the globals start
 ja %error
 pop_rdi
 mov_esi, ED010000
 mov_eax, 55000000
 syscall
 mov_edi,eax
 mov_esi, 00001010
 sub_edx,esi
 mov_eax, 01000000
 syscall
 sub_eax,edx                          # 0 if all was written
 neg_eax
 sbb_edi,edi                          # 0, or -1 if not
 mov_eax, 3C000000
 syscall

:header                               # of the program: at 10100000
7F "ELF 02 01 01 00 00000000 00000000
0200 3E00 01000000
70001010 00000000
38000000 00000000 00000000 00000000 00000000
4000 3800 0100 0000 0700 0000
00000000 00000000
00001010 00000000 00001010 00000000
00001000 00000000
00000000 00000000 00100000 00000000
58 4889E1 50 51 E8 00000000           # pop rax; mov rcx, rsp; push rax; push rcx; call main
89C7 B83C000000 0F05                  # mov edi, eax; mov eax, 60; syscall
:code
