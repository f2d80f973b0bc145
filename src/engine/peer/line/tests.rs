//! Both ends of a connection, plain and encrypted.

use super::*;
use crate::engine::testkit::{PATIENCE, noise, socket_pair};
use std::io::{Read, Write};
use std::thread;

fn plain(socket: TcpStream) -> Line {
    Line::Plain(Arc::new(socket))
}

/// The two ends of an encrypted connection.
fn encrypted_pair() -> (Line, Line) {
    let (near, far) = socket_pair();
    let ciphers = || (Rc4::new(b"to the near end"), Rc4::new(b"to the far end"));
    let (inward, outward) = ciphers();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    (plain(near).encrypt(ciphers()), plain(far).encrypt((outward, inward)))
}

/// Reads `length` bytes, each time into buffers of other sizes.
fn read_all(line: &Line, length: usize) -> Vec<u8> {
    let (mut bytes, mut size) = (Vec::new(), 1);
    while bytes.len() < length {
        let (mut first, mut second) = (vec![0; size], vec![0; 13]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let count = line.read(&mut buffers, true).unwrap();
        assert!(count > 0, "it ended after {} bytes", bytes.len());
        bytes.extend([first, second].concat()[..count].iter());
        size = size * 3 % 20_011;
    }
    bytes
}

/// What the socket does not take at once is sent later, in between other bytes, and the ciphers stay in step.
#[test]
fn both_ends_stay_in_step_when_the_socket_is_full() {
    let (near, far) = encrypted_pair();
    let sent = noise(8 << 20, 1);
    let expected = sent.clone();
    let (full, is_full) = crossbeam_channel::bounded(1);
    let reader = thread::spawn(move || {
        is_full.recv_timeout(PATIENCE).expect("the socket is full at some time");
        assert!(read_all(&far, expected.len()) == expected, "something else came");
    });
    let mut at = 0;
    while at < sent.len() {
        let head = (at + 13).min(sent.len());
        let end = (at + 16 * 1024).min(sent.len());
        let taken = near.send_now(&sent[at..head], &sent[head..end]).unwrap();
        at += taken;
        if at < end {
            let _ = full.try_send(());
            near.send_all(&mut sent[at..end].to_vec(), at % 2 == 0, PATIENCE).unwrap();
            at = end;
        }
    }
    reader.join().unwrap();
}

#[test]
fn an_encrypted_line_sends_no_plain_byte() {
    let (mut near, far) = socket_pair();
    let line = plain(far).encrypt((Rc4::new(b"in"), Rc4::new(b"out")));
    let file = tempfile::tempfile().unwrap();
    (&file).write_all(&[0; 1000]).unwrap();
    assert_eq!(line.send_file(&file, 0, 1000, PATIENCE).unwrap(), 0, "its caller reads the file");
    assert_eq!(line.send_now(&[0; 10], &[0; 90]).unwrap(), 100);
    line.send_all(&mut [0; 900], false, PATIENCE).unwrap();
    line.shut();
    let (mut heard, mut expected) = (Vec::new(), vec![0; 1000]);
    near.read_to_end(&mut heard).unwrap();
    Rc4::new(b"out").apply(&mut expected);
    assert!(heard == expected);
}

#[test]
fn a_plain_line_sends_from_files_and_reads_into_several_buffers() {
    let (near, far) = socket_pair();
    let (near, far) = (plain(near), plain(far));
    let file = tempfile::tempfile().unwrap();
    let bytes = noise(100_000, 1);
    (&file).write_all(&bytes).unwrap();
    let expected = bytes.clone();
    let reader = thread::spawn(move || {
        assert!(read_all(&near, expected.len()) == expected);
        near
    });
    assert_eq!(far.send_file(&file, 0, 50_000, PATIENCE).unwrap(), 50_000);
    far.send_all(&mut bytes[50_000..].to_vec(), false, PATIENCE).unwrap();
    assert_eq!(far.read(&mut [IoSliceMut::new(&mut [0; 10])], false).unwrap_err(), Errno::AGAIN);
    drop(reader.join().unwrap());
    assert_eq!(far.read(&mut [IoSliceMut::new(&mut [0; 10])], true), Ok(0), "the end");
}
