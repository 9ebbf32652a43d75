//! What goes over the pipes between the agent and its courier: fields of limited length, in a fixed order, of a closed list of calls. The
//! agent reads nothing else from a courier than a status, a signature and bytes.

use crate::transport::{HttpReply, MAX_REPLY};
use protocol::{
    ShortText, limits,
    sign::{KEY_HEADER, SIGNATURE_HEADER},
    v1,
};
use std::io::{self, Read, Write};

/// The calls of the protocol; a byte on the pipe names one.
const PATHS: [&str; 5] = [v1::ENROLL, v1::CHECK_IN, v1::REPORT, v1::PERMIT, v1::RESULTS];
/// Longest key id or signature.
const MAX_HEADER: usize = 512;
const ANSWERED: u8 = 0;
const FAILED: u8 = 1;

/// One call, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) path: &'static str,
    key: String,
    signature: String,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    /// # Errors
    /// Names what is not of the closed list.
    pub(crate) fn new(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Self, String> {
        let path = PATHS.iter().find(|p| **p == path);
        let path = path.ok_or("not a call of the protocol")?;
        let value = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        match (value(KEY_HEADER), value(SIGNATURE_HEADER)) {
            (Some(key), Some(signature)) if headers.len() == 2 => Ok(Self {
                path,
                key,
                signature,
                body: body.to_vec(),
            }),
            _ => Err("a call carries a key's id and a signature, and nothing else".to_owned()),
        }
    }

    pub(crate) fn headers(&self) -> [(&str, &str); 2] {
        [(KEY_HEADER, &self.key), (SIGNATURE_HEADER, &self.signature)]
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let number = PATHS
            .iter()
            .position(|p| *p == self.path)
            .and_then(|at| u8::try_from(at).ok());
        out.write_all(&[number.ok_or_else(|| unfit("no such call"))?])?;
        put(out, self.key.as_bytes())?;
        put(out, self.signature.as_bytes())?;
        put(out, &self.body)?;
        out.flush()
    }

    /// The next call; none when the agent has closed the pipe.
    pub(crate) fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut number = [0];
        if input.read(&mut number)? == 0 {
            return Ok(None);
        }
        let path = PATHS.get(usize::from(number[0])).ok_or_else(|| unfit("no such call"))?;
        Ok(Some(Self {
            path,
            key: header(input)?,
            signature: header(input)?,
            body: get(input, limits::MAX_BODY)?,
        }))
    }
}

/// What came of a call: what the server answered, or in words why nothing came.
pub(crate) type Came = Result<HttpReply, String>;

pub(crate) fn write_came(out: &mut impl Write, came: &Came) -> io::Result<()> {
    match came {
        Ok(reply) => {
            out.write_all(&[ANSWERED])?;
            out.write_all(&reply.status.to_be_bytes())?;
            put(out, reply.signature.as_bytes())?;
            put(out, &reply.body)?;
        }
        Err(why) => {
            out.write_all(&[FAILED])?;
            put(out, ShortText::fit(why).as_str().as_bytes())?;
        }
    }
    out.flush()
}

pub(crate) fn read_came(input: &mut impl Read) -> io::Result<Came> {
    let mut kind = [0];
    input.read_exact(&mut kind)?;
    match kind[0] {
        ANSWERED => {
            let mut status = [0; 2];
            input.read_exact(&mut status)?;
            let status = u16::from_be_bytes(status);
            if !(100..600).contains(&status) {
                return Err(unfit("no such status"));
            }
            let signature = header(input)?;
            let body = get(input, MAX_REPLY)?;
            Ok(Ok(HttpReply {
                status,
                signature,
                body,
            }))
        }
        FAILED => {
            let why = get(input, ShortText::MAX)?;
            Ok(Err(ShortText::fit(&String::from_utf8_lossy(&why)).to_string()))
        }
        _ => Err(unfit("neither an answer nor a failure")),
    }
}

fn unfit(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn put(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(bytes)
}

/// A field; its memory grows with what really comes.
fn get(input: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if usize::try_from(length).map_or(true, |l| l > most) {
        return Err(unfit("a field is longer than allowed"));
    }
    let mut bytes = Vec::new();
    input.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == u64::from(length) {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// A header's value: visible ASCII only.
fn header(input: &mut impl Read) -> io::Result<String> {
    let text = String::from_utf8(get(input, MAX_HEADER)?).map_err(|_| unfit("a header is not text"))?;
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(unfit("a header is not plain text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask() -> Ask {
        let headers = [(KEY_HEADER, "ab12"), (SIGNATURE_HEADER, "c2ln")];
        Ask::new(v1::REPORT, &headers, b"{}").unwrap()
    }

    #[test]
    fn calls_and_answers_come_out_as_they_went_in() {
        let mut pipe = Vec::new();
        ask().write(&mut pipe).unwrap();
        ask().write(&mut pipe).unwrap();
        let mut rest = &pipe[..];
        assert_eq!(Ask::read(&mut rest).unwrap(), Some(ask()));
        assert_eq!(Ask::read(&mut rest).unwrap(), Some(ask()));
        assert_eq!(Ask::read(&mut rest).unwrap(), None);
        let reply = HttpReply {
            status: 403,
            signature: "c2ln".to_owned(),
            body: vec![0; 70_000],
        };
        for came in [Ok(reply), Err("no route to host".to_owned())] {
            let mut pipe = Vec::new();
            write_came(&mut pipe, &came).unwrap();
            assert_eq!(read_came(&mut &pipe[..]).unwrap(), came);
            for cut in 0..pipe.len().min(80) {
                assert!(read_came(&mut &pipe[..cut]).is_err(), "cut after {cut} bytes");
            }
        }
    }

    #[test]
    fn only_calls_of_the_protocol_are_carried() {
        let headers = [(KEY_HEADER, "ab12"), (SIGNATURE_HEADER, "c2ln")];
        assert!(Ask::new("/agent/v1/other", &headers, b"").is_err());
        assert!(Ask::new(v1::REPORT, &headers[..1], b"").is_err());
        let more = [headers[0], headers[1], ("cookie", "x")];
        assert!(Ask::new(v1::REPORT, &more, b"").is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_read() {
        let long = |kind: u8, length: usize| {
            let mut pipe = vec![kind];
            if kind == ANSWERED {
                pipe.extend(200_u16.to_be_bytes());
                put(&mut pipe, b"sig").unwrap();
            }
            pipe.extend(u32::try_from(length).unwrap().to_be_bytes());
            read_came(&mut &pipe[..]).unwrap_err().kind()
        };
        let (unfit, short) = (io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof);
        assert_eq!(
            (long(ANSWERED, MAX_REPLY), long(ANSWERED, MAX_REPLY + 1)),
            (short, unfit)
        );
        assert_eq!(
            (long(FAILED, ShortText::MAX), long(FAILED, ShortText::MAX + 1)),
            (short, unfit)
        );
        let mut odd = vec![ANSWERED];
        odd.extend(200_u16.to_be_bytes());
        put(&mut odd, b"a\nb: c").unwrap();
        put(&mut odd, b"").unwrap();
        assert!(read_came(&mut &odd[..]).is_err(), "a header of two lines");
        let mut pipe = Vec::new();
        write_came(&mut pipe, &Err("\u{1b}[2J\n".repeat(9_000))).unwrap();
        let why = read_came(&mut &pipe[..]).unwrap().unwrap_err();
        assert!(why.len() <= ShortText::MAX && !why.contains('\u{1b}'), "{why:?}");
    }

    proptest! {
        /// I-42: whatever a courier writes, the agent reads no more than it allows, and goes on.
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Ok(reply)) = read_came(&mut &bytes[..]) {
                prop_assert!(reply.body.len() <= bytes.len());
            }
            if let Ok(Some(ask)) = Ask::read(&mut &bytes[..]) {
                prop_assert!(ask.body.len() <= bytes.len());
            }
        }
    }
}
