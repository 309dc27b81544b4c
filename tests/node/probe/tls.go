package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// serve answers over TLS with the certificate that is in the folder at that moment, until it is told to end.
func serve(folder string) error {
	// Between two reads the kubelet may change the version that ..data leads to, and takes the one before away.
	load := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		var err error
		for range 10 {
			var version string
			if version, err = filepath.EvalSymlinks(filepath.Join(folder, "..data")); err == nil {
				var certificate tls.Certificate
				if certificate, err = tls.LoadX509KeyPair(filepath.Join(version, "tls.crt"), filepath.Join(version, "tls.key")); err == nil {
					return &certificate, nil
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		fmt.Println("cannot be read:", err)
		return nil, err
	}
	if _, err := load(nil); err != nil {
		return err
	}
	server := &http.Server{
		Addr:              ":8443",
		TLSConfig:         &tls.Config{GetCertificate: load},
		ReadHeaderTimeout: 10 * time.Second,
		Handler:           http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, "served") }),
	}
	go func() {
		<-told()
		_ = server.Close()
	}()
	if err := server.ListenAndServeTLS("", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ask makes one GET over a connection of its own and returns the chain that was verified, the server's certificate first.
func ask(url, trusted string) ([]*x509.Certificate, error) {
	pem, err := os.ReadFile(trusted)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", trusted)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return answer.TLS.VerifiedChains[0], nil
}

// serial is the serial number as Chancery writes it.
func serial(certificate *x509.Certificate) string {
	return fmt.Sprintf("%x", certificate.SerialNumber.Bytes())
}

func get(url, trusted string) error {
	chain, err := ask(url, trusted)
	if err == nil {
		fmt.Println(serial(chain[0]))
	}
	return err
}

func changed(url, trusted, before string) error {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		chain, err := ask(url, trusted)
		if err != nil {
			return err
		}
		if now := serial(chain[0]); now != before {
			fmt.Println(now)
			return nil
		}
	}
	return fmt.Errorf("%s is still served after two minutes", before)
}

func watch(url, trusted string) error {
	repeat(func() (string, error) {
		chain, err := ask(url, trusted)
		if err != nil {
			return "", err
		}
		return "serial " + serial(chain[0]), nil
	})
	return nil
}

// repeat asks each 50 ms until the program is told to end. It prints each answer that differs from the one before, and each failure
// with its time.
func repeat(ask func() (string, error)) {
	var last string
	var asked, failed int
	told := told()
	for turn := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-told:
			return
		case <-turn.C:
		}
		answer, err := ask()
		if err != nil {
			// What it asks may start after it; once it has answered, it has to go on.
			if last != "" {
				failed++
				fmt.Println("FAILED:", time.Now().UTC().Format(time.TimeOnly), err)
			}
		} else if answer != last {
			last = answer
			fmt.Println(answer)
		}
		if asked++; asked%100 == 0 {
			fmt.Println("asked", asked, "failed", failed)
		}
	}
}
