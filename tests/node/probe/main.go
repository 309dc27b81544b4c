// probe is what runs in the pods of the tests beside Chancery: a server with a mounted certificate, clients that check it, and
// what holds a pod's namespaces. It knows certificates as Go's standard library does, and nothing of Kubernetes or Chancery.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `probe pause                     until it is told to end
probe serve FOLDER              TLS on :8443 with FOLDER/tls.crt and tls.key, read anew for each connection
probe get URL CA                a GET over TLS; CA is the file of who is trusted. Prints the serial number that was served
probe changed URL CA SERIAL     the same, again and again for at most two minutes, until the serial number is another
probe watch URL CA              a connection of its own each 50 ms until it is told to end: prints each serial number, and each failure after
                                the first answer
probe answers CERTIFICATE CA      asks the list and the OCSP responder that it names, each over a connection of its own each 50 ms, until it is
                                told to end: prints each failure after the first answer, which is to be good
probe revocation CA STATUS      reads a certificate that CA issued, and asks the list and the OCSP responder that it names for at most a
                                minute, until both say STATUS: good or revoked
`

func main() {
	arguments := os.Args[1:]
	command, count := "", map[string]int{"pause": 1, "serve": 2, "get": 3, "changed": 4, "watch": 3, "answers": 3, "revocation": 3}
	if len(arguments) > 0 {
		command = arguments[0]
	}
	if count[command] != len(arguments) || command == "" {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	var err error
	switch command {
	case "pause":
		<-told()
	case "serve":
		err = serve(arguments[1])
	case "get":
		err = get(arguments[1], arguments[2])
	case "changed":
		err = changed(arguments[1], arguments[2], arguments[3])
	case "watch":
		err = watch(arguments[1], arguments[2])
	case "answers":
		err = answers(arguments[1], arguments[2])
	case "revocation":
		err = revocation(arguments[1], arguments[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// told receives when the program is asked to end. The first process of a container does not end by itself at a signal.
func told() <-chan os.Signal {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	return told
}
