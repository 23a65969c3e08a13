#!/usr/bin/perl
# Starts an application so that its memory can be moved to another host: as process 1 of a PID namespace of its own, in a session of
# its own, and without io_uring, which CRIU cannot dump. Node.js opens it even where it does not use it.
#
#   perl start.pl PID_FILE COMMAND [ARGUMENT...]
#
# PID_FILE gets the process id that the host knows it by. Ends when the application ends, with its exit code.
use strict;
use warnings;
use POSIX ();

use constant { CLONE_NEWPID => 0x20000000, PR_SET_NO_NEW_PRIVS => 38, PR_SET_SECCOMP => 22, FILTER => 2, IO_URING_SETUP => 425 };
# Of prctl and unshare. https://man7.org/linux/man-pages/man2/syscalls.2.html
my %NUMBERS = (x86_64 => [157, 272], aarch64 => [167, 97]);

my ($pid_file, @command) = @ARGV;
die "usage: start.pl PID_FILE COMMAND [ARGUMENT...]\n" unless @command;
my $machine = (POSIX::uname())[4];
my ($prctl, $unshare) = @{ $NUMBERS{$machine} or die "the machine must be x86_64 or aarch64, got $machine\n" };
syscall($unshare, CLONE_NEWPID) == 0 or die "a PID namespace must be made, which takes root: $!\n";
my $pid = fork() // die "the application must start: $!\n";
if ($pid == 0) {
  POSIX::setsid();
  # seccomp(2): load the number of the call; where it is io_uring_setup, ENOSYS; else allowed.
  my $filter = pack('SCCL' x 4, 0x20, 0, 0, 0, 0x15, 0, 1, IO_URING_SETUP, 0x06, 0, 0, 0x00050000 | POSIX::ENOSYS(), 0x06, 0, 0, 0x7fff0000);
  syscall($prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 or die "no_new_privs must be set: $!\n";
  syscall($prctl, PR_SET_SECCOMP, FILTER, pack('Sx6P', 4, $filter)) == 0 or die "a filter of system calls must be set: $!\n";
  exec { $command[0] } @command or POSIX::_exit(127);
}
open(my $file, '>', "$pid_file.new") or die "$pid_file.new: $!\n";
print $file "$pid\n";
close $file;
rename("$pid_file.new", $pid_file) or die "$pid_file: $!\n";
waitpid($pid, 0);
exit($? & 127 ? 128 + ($? & 127) : $? >> 8);
