# Stand-ins for the shared libraries that the seed's programs name and that aren't packaged with it: one for each, with
# the symbols that are asked of it. Whatever is called in one ends the process and says so, as no answer is better than
# a wrong one, but for what cargo calls at each start to prepare what it never uses without a network. `data` is the
# address of zeroes and, as curl_version_info has it, of empty names.
answers="
git_libgit2_init 0
git_libgit2_opts 0
git_config_open_default -1 (there is none)
git_error_last 0
git_error_clear 0
libssh2_init 0
libssh2_exit 0
OPENSSL_init_ssl 0
curl_global_init 0
curl_version_info data
curl_multi_init data
curl_multi_setopt 0
curl_multi_cleanup 0
sqlite3_libversion_number 3046001
sqlite3_threadsafe 1
sqlite3_mutex_alloc data
sqlite3_mutex_free 0
sqlite3_open_v2 14 (can't be opened; cargo keeps no record of crates then)
"

# What every function ends in: its name, at r12, with r13 bytes, is told.
end_of_library() {
    cat <<END
missing:
	lea before(%rip), %rsi
	mov \$after - before, %edx
	call tell
	mov %r12, %rsi
	mov %r13d, %edx
	call tell
	lea after(%rip), %rsi
	mov \$end - after, %edx
	call tell
	mov \$231, %eax		# exit_group, with cargo's own code for errors
	mov \$101, %edi
	syscall
tell:
	mov \$1, %eax			# write to standard error
	mov \$2, %edi
	syscall
	ret
before:	.ascii "error: \`"
after:	.ascii "\` of $1 is called, which is not here: cargo has neither network nor git; use crates of \`cargo vendor\`\n"
end:
	.data
data:	.quad 0, name, 0, name, 0, 0, 0, 0, none
none:	.quad 0
name:	.quad 0
END
}

stand_ins() {
    readelf --wide --dynamic --version-info --dyn-syms "$1" >symbols
    mawk -v answers="$answers" -v present="$(ls "$out/lib")" '
        BEGIN {
            count = split(answers, lines, "\n")
            for (i = 1; i <= count; i++) if (split(lines[i], words, " ") > 1) answer[words[1]] = words[2]
            count = 0
            split(present, files)
            for (i in files) there[files[i]] = 1
        }
        /\(NEEDED\)/ { gsub(/[][]/, "", $NF); if (!($NF in there)) needed[$NF] = 1 }
        / File: / { for (i = 1; i < NF; i++) if ($i == "File:") file = $(i + 1) }
        / Name: .* Version: / { of[$NF] = file; version[$NF] = $3; versioned[file] = 1 }
        # Weak ones may stay undefined. The number number in brackets says which library a symbol is of.
        $5 == "GLOBAL" && $7 == "UND" {
            split($8, parts, "@")
            number = $9
            gsub(/[()]/, "", number)
            symbol[++count] = parts[1]
            wanted[count] = number
        }
        END {
            # Symbols without version are looked for in every library: the first of those that have none takes them.
            for (file in needed) if (!(file in versioned) && (any == "" || file < any)) any = file
            for (i = 1; i <= count; i++) {
                file = wanted[i] == "" ? any : of[wanted[i]]
                if (!(file in needed)) continue
                print "\t.globl " symbol[i] "\n\t.type " symbol[i] ",@function\n" symbol[i] ":" >(file ".s")
                if (answer[symbol[i]] == "data") {
                    print "\tlea data(%rip), %rax\n\tret" >(file ".s")
                } else if (symbol[i] in answer && answer[symbol[i]] != "") {
                    print "\tmov $" answer[symbol[i]] ", %eax\n\tret" >(file ".s")
                } else {
                    print "\tlea 1f(%rip), %r12\n\tmov $" length(symbol[i]) ", %r13d\n\tjmp missing" >(file ".s")
                    print "1:\t.ascii \"" symbol[i] "\"" >(file ".s")
                }
                if (wanted[i] != "") {
                    print version[wanted[i]] " " symbol[i] >(file ".symbols")
                }
            }
            for (file in needed) print file
        }' symbols >unsorted
    sort unsorted >needed
    while read -r name; do
        touch "$name.s" "$name.symbols"
        # One block for each version, in one order.
        sort "$name.symbols" | mawk '
            $1 != last { if (last != "") print "};"; print $1 " {"; last = $1 }
            { print $2 ";" }
            END { if (last != "") print "};" }' >"$name.map"
        end_of_library "$name" >>"$name.s"
        as -o "$name.o" "$name.s"
        if [ -s "$name.map" ]; then
            ld -shared -soname "$name" --version-script "$name.map" -o "$out/lib/$name" "$name.o"
        else
            ld -shared -soname "$name" -o "$out/lib/$name" "$name.o"
        fi
    done <needed
}

mkdir /build/stand-ins
cd /build/stand-ins
stand_ins "$out/lib/libLLVM.so.22.1"
stand_ins "$out/libexec/cargo"
