"""Names the programs that only start others, and so are never the answer to "who started it"."""

from __future__ import annotations

import re

# Programs that run the command in their arguments.
WRAPPERS = re.compile(
    r"sudo(?:-rs)?|doas|su|su-exec|gosu|runuser|setpriv|pkexec|capsh|machinectl|run0"
    r"|env|envdir|setenv|nice|ionice|chrt|taskset|numactl|prlimit|softlimit|cgexec|setarch"
    r"|linux32|linux64|timeout|gtimeout|flock|lckdo|run-one|xargs|parallel|setsid|nohup|daemonize"
    r"|start-stop-daemon|stdbuf|unbuffer|script|time|watch|chronic|strace|ltrace|perf|valgrind"
    r"|nsenter|unshare|chroot|fakeroot|fakechroot|proot|bwrap|firejail|faketime|eatmydata"
    r"|systemd-run|systemd-cat|systemd-inhibit|systemd-nspawn|dbus-run-session|dbus-launch"
    r"|ssh-agent|chpst|setuidgid|setlock|tini(?:-static)?|dumb-init|catatonit|run-parts"
    r"|ip-netns|cronitor|aws-vault|chamber|envconsul|doppler|direnv|with-contenv"
)
# What a container runtime puts between itself and the container's first process.
SHIMS = re.compile(
    r"containerd-shim.*|conmon|conmonrs|runc.*|crun|youki|runsc.*|kata-.*|docker-init|pause"
    r"|docker-containerd.*|containerd|dockerd|lxc-start|lxc-attach|incusd|lxd|lxc-execute|rexec"
    r"|s6-.*|justc-.*"
)
INITS = re.compile(
    r"systemd|systemd-executor|\(sd-pam\)|init|upstart|runit|runit-init|runsv|runsvdir|dinit"
    r"|openrc-init|openrc-run|supervise-daemon|launchd|my_init"
)
# These start what tables of commands say; the command is the job.
CRONS = re.compile(r"(?i:cron|crond|anacron|fcron|dcron|bcron|cronie|supercronic)")
# These let a person in.
LOGINS = re.compile(
    r"sshd.*|dropbear|login|agetty|getty|mosh-server|tmux.*|screen|SCREEN|ttyd|telnetd"
    r"|in\.telnetd|ssm-session-worker|ssm-session-logger|gnome-terminal.*|konsole|xterm|script"
    r"|code-server|zellij"
)
# They ask for whoever runs them: of these, the launcher says which job it is.
TOOLS = re.compile(
    r"curl|wget2?|https?|httpie|xh|aria2c|axel|lynx|links2?|elinks|w3m|fetch|lwp-request|GET"
    r"|nc|ncat|netcat|nc\.openbsd|nc\.traditional|socat|telnet|openssl|aws"
    r"|ec2-?metadata|ec2-metadata|ec2metadata|hurl|grpcurl|s5cmd"
)
