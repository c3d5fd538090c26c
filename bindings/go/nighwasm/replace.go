// replace.go - a file replaced whole: a reader sees the old one or the new one
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from bindings/go/replace.go by bindings/go/nighwasm/share.py. Do not edit.

package nighwasm

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

var errNotRegular = errors.New("not a regular file")

// replaceFile writes a temporary beside the file, flushes it, gives it the name, flushes the
// folder. On failure the temporary is gone and the old file as it was.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	const op = "save"
	target, err := resolve(path)
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	temporary, err := create(filepath.Dir(target))
	if err != nil {
		return &Error{Op: op, Err: err}
	}
	defer func() {
		if err != nil {
			temporary.Close()
			os.Remove(temporary.Name())
		}
	}()
	buffer := bufio.NewWriterSize(temporary, 1<<20)
	if err := write(buffer); err != nil {
		return err
	}
	if err := finish(buffer, temporary, target); err != nil {
		return &Error{Op: op, Err: err}
	}
	return nil
}

func finish(buffer *bufio.Writer, temporary *os.File, target string) error {
	if err := buffer.Flush(); err != nil {
		return err
	}
	if info, err := os.Stat(target); err == nil {
		if err := temporary.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := temporary.Sync(); err != nil {
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), target); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(target))
}

// resolve follows symbolic links to the file that they mean, which need not be there.
func resolve(path string) (string, error) {
	const linksMax = 40
	for range linksMax {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if !info.Mode().IsRegular() {
				return "", &fs.PathError{Op: "replace", Path: path, Err: errNotRegular}
			}
			return path, nil
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", &fs.PathError{Op: "replace", Path: path, Err: errors.New("too many symbolic links")}
}

// create makes a file with the permissions that any new file gets: os.CreateTemp's are narrower.
func create(folder string) (*os.File, error) {
	for tries := 0; ; tries++ {
		name := filepath.Join(folder, fmt.Sprintf(".nigh-%016x.tmp", rand.Uint64()))
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) || tries == 16 {
			return file, err
		}
	}
}

// syncFolder makes the new name last; not every system lets a folder be opened.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
