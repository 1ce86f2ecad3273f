// Receives connections from @holdfast/handoff at PATH and echoes their bytes.
// Usage: go run receive.go PATH [TOKEN]    (transfer protocol 1, see the README)
package main

import ("crypto/subtle"; "encoding/binary"; "fmt"; "io"; "net"; "os"; "syscall")

func exactly(c *net.UnixConn, n uint32) (data []byte, fds []int, err error) {
	for data = make([]byte, n); len(data) > 0 && n > 0; {
		oob := make([]byte, syscall.CmsgSpace(253*4))
		got, oobn, _, _, e := c.ReadMsgUnix(data[uint32(len(data))-n:], oob)
		if e != nil || got == 0 { return nil, fds, io.EOF }
		messages, _ := syscall.ParseSocketControlMessage(oob[:oobn]); n -= uint32(got)
		for _, m := range messages { more, _ := syscall.ParseUnixRights(&m); fds = append(fds, more...) }
	}
	return data, fds, nil
}
func serve(c *net.UnixConn, token []byte) {
	defer c.Close()
	raw, _ := c.SyscallConn(); var who *syscall.Ucred
	raw.Control(func(fd uintptr) { who, _ = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED) })
	for trusted := false; who != nil && int(who.Uid) == os.Geteuid(); {
		h, fds, err := exactly(c, 16)
		if err != nil || string(h[:4]) != "HFS\x01" { return }
		text := binary.BigEndian.Uint32(h[8:])
		body, _, err := exactly(c, text+binary.BigEndian.Uint32(h[12:]))
		if err != nil { return }; if h[4] == 1 { trusted = subtle.ConstantTimeCompare(body[text:], token) == 1 }
		if !trusted || (h[4] == 3 && len(fds) != 1) { return }
		c.Write([]byte{'H', 'F', 'S', 1, map[bool]byte{true: 2, false: 4}[h[4] == 1], byte(len(fds)), 15: 0}) // welcome, taken
		for _, fd := range fds {
			file := os.NewFile(uintptr(fd), "socket"); conn, _ := net.FileConn(file); file.Close()
			go func(unread []byte) { conn.Write(unread); io.Copy(conn, conn); conn.Close() }(body[text:])
		}
	}
}
func main() {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: os.Args[1], Net: "unix"})
	if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
	fmt.Println("listening")
	for { c, err := l.AcceptUnix(); if err != nil { return }; go serve(c, []byte(append(os.Args, "")[2])) }
}
