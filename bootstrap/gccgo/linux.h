/* What libgo wants to know of the kernel's interface, and the C library's headers don't say: filters of packets, the messages
   by which network interfaces are listed, and two numbers for a restart. From the kernel's documentation: netlink(7),
   rtnetlink(7), reboot(2), Documentation/networking/filter.rst. */

struct sock_filter { unsigned short code; unsigned char jt, jf; unsigned int k; };
struct sock_fprog { unsigned short len; struct sock_filter *filter; };

struct nlmsghdr { unsigned int nlmsg_len; unsigned short nlmsg_type, nlmsg_flags; unsigned int nlmsg_seq, nlmsg_pid; };
struct rtgenmsg { unsigned char rtgen_family; };
struct rtattr { unsigned short rta_len, rta_type; };
struct rtmsg {
    unsigned char rtm_family, rtm_dst_len, rtm_src_len, rtm_tos, rtm_table, rtm_protocol, rtm_scope, rtm_type;
    unsigned int rtm_flags;
};
struct ifinfomsg { unsigned char ifi_family, ifi_pad; unsigned short ifi_type; int ifi_index; unsigned int ifi_flags, ifi_change; };
struct ifaddrmsg { unsigned char ifa_family, ifa_prefixlen, ifa_flags, ifa_scope; unsigned int ifa_index; };

#define NETLINK_ROUTE 0
#define NLMSG_ALIGNTO 4
#define NLMSG_ERROR 2
#define NLMSG_DONE 3
#define NLM_F_REQUEST 1
#define NLM_F_ROOT 0x100
#define NLM_F_MATCH 0x200
#define NLM_F_DUMP (NLM_F_ROOT | NLM_F_MATCH)
#define RTA_ALIGNTO 4

#define RTM_NEWLINK 16
#define RTM_DELLINK 17
#define RTM_GETLINK 18
#define RTM_NEWADDR 20
#define RTM_DELADDR 21
#define RTM_GETADDR 22
#define RTM_NEWROUTE 24
#define RTM_DELROUTE 25
#define RTM_GETROUTE 26

#define IFLA_ADDRESS 1
#define IFLA_IFNAME 3
#define IFLA_MTU 4
#define IFA_ADDRESS 1
#define IFA_LOCAL 2

#define LINUX_REBOOT_MAGIC1 0xfee1dead
#define LINUX_REBOOT_MAGIC2 672274793
