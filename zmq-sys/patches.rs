//! The changes to libzmq 4.3.4: less memory per connection, no lost data when a peer closes, and a limit on the parts
//! of a message.
//!
//! With 10,000 workers, libzmq uses most of the queue's memory. As released, it uses 25 kB per worker; with these changes, 5 kB:
//!
//! * As released, each connection has four queues between threads, which grow by chunks of 256 messages of 64 bytes. Small
//!   queues now grow by chunks of two messages.
//! * As released, each connection reads and writes through buffers of 8 KiB. Large reads help receivers of streams. A ROUTER here
//!   gets a short request from each of many peers, and its replies are short or are sent without a copy. Therefore its buffers are
//!   smaller. PUSH and PULL carry streams: they read and write 64 KiB at a time, a quarter more messages a second than with 8 KiB.
//! * As released, the session, the engine and the mechanism of a connection each copy all options of their socket (1.1 kB). Now they
//!   share one copy, which is made when the socket begins to listen. Only a socket changes its options, and it has its own copy.
//!
//! A program that has sent all its data ends and closes its socket in the file system. If libzmq has stopped reading this socket
//! because its own reader is slow, the released libzmq throws away the data that it has not read. With these changes, it reads on to
//! the end.
//!
//! libzmq hands over a message when all its parts have arrived. As released, it does not limit their number. With these changes, a
//! ROUTER closes a connection that sends too many parts.

/// A text in a file of libzmq, and its replacement.
pub struct Patch {
    pub file: &'static str,
    pub old: &'static str,
    pub new: &'static str,
}

pub const PATCHES: &[Patch] = &[
    // A pipe for at most 256 messages, such as the pipes of a queue and its workers, gets small chunks. A pipe in which thousands of
    // messages wait (PUSH and PULL) keeps large chunks; small chunks would cost one allocation for two messages.
    Patch {
        file: "pipe.cpp",
        old: "    pipe_t::upipe_t *upipe1;\n    if (conflate_[0])\n        upipe1 = new (std::nothrow) upipe_conflate_t ();\n    else\n        upipe1 = new (std::nothrow) upipe_normal_t ();\n",
        new: "    typedef ypipe_t<msg_t, 2> upipe_small_t;
    const bool large = hwms_[0] > 256 || hwms_[1] > 256;

    pipe_t::upipe_t *upipe1;
    if (conflate_[0])
        upipe1 = new (std::nothrow) upipe_conflate_t ();
    else if (large)
        upipe1 = new (std::nothrow) upipe_normal_t ();
    else
        upipe1 = new (std::nothrow) upipe_small_t ();
",
    },
    Patch {
        file: "pipe.cpp",
        old: "    else\n        upipe2 = new (std::nothrow) upipe_normal_t ();\n",
        new: "    else if (large)
        upipe2 = new (std::nothrow) upipe_normal_t ();
    else
        upipe2 = new (std::nothrow) upipe_small_t ();
",
    },
    Patch {
        file: "router.cpp",
        old: "    options.type = ZMQ_ROUTER;\n",
        new: "    options.type = ZMQ_ROUTER;\n    options.in_batch_size = 128;\n    options.out_batch_size = 512;\n",
    },
    Patch {
        file: "push.cpp",
        old: "    options.type = ZMQ_PUSH;\n",
        new: "    options.type = ZMQ_PUSH;\n    options.out_batch_size = 65536;\n",
    },
    Patch {
        file: "pull.cpp",
        old: "    options.type = ZMQ_PULL;\n",
        new: "    options.type = ZMQ_PULL;\n    options.in_batch_size = 65536;\n",
    },
    // The parts of a connection share one copy of the options.
    Patch { file: "options.hpp", old: "#include <string>\n", new: "#include <memory>\n#include <string>\n" },
    Patch {
        file: "options.hpp",
        old: "struct options_t\n{\n    options_t ();\n",
        new: "struct options_t\n{\n    options_t ();\n
    //  Returns a shared copy that nobody changes. If the argument is such
    //  a copy already, returns the argument.
    static std::shared_ptr<options_t> share (const options_t &options_)
    {
        std::shared_ptr<options_t> shared = options_._self.lock ();
        if (shared.get () != &options_) {
            shared = std::make_shared<options_t> (options_);
            shared->_self = shared;
        }
        return shared;
    }
    std::weak_ptr<options_t> _self;
",
    },
    Patch {
        file: "own.hpp",
        old: "    options_t options;\n",
        new: "    const std::shared_ptr<options_t> _shared_options;\n    options_t &options;\n",
    },
    Patch {
        file: "own.cpp",
        old: "    object_t (parent_, tid_),\n",
        new: "    object_t (parent_, tid_),
    _shared_options (std::make_shared<options_t> ()),
    options (*_shared_options),
",
    },
    Patch {
        file: "own.cpp",
        old: "    options (options_),\n",
        new: "    _shared_options (options_t::share (options_)),\n    options (*_shared_options),\n",
    },
    Patch {
        file: "stream_engine_base.hpp",
        old: "    const options_t _options;\n",
        new: "    const std::shared_ptr<options_t> _shared_options;\n    const options_t &_options;\n",
    },
    Patch {
        file: "stream_engine_base.cpp",
        old: "    _options (options_),\n",
        new: "    _shared_options (options_t::share (options_)),\n    _options (*_shared_options),\n",
    },
    // The engine owns the mechanism, and its options live at least as long.
    Patch {
        file: "mechanism.hpp",
        old: "    const options_t options;\n",
        new: "    const options_t &options;\n",
    },
    // After a peer has closed its connection, libzmq reads the data that the peer sent before.
    Patch {
        file: "stream_engine_base.cpp",
        old: "    else if (_io_error) {\n        error (connection_error);\n        return false;\n    } else if (rc == -1) {\n",
        new: "    else if (_io_error && rc != -1) {
        //  The descriptor is no longer polled. The data that came before the
        //  peer closed the connection can still be read.
        do {
            size_t bufsize = 0;
            _decoder->get_buffer (&_inpos, &bufsize);
            const int nbytes = read (_inpos, bufsize);
            if (nbytes <= 0) {
                error (connection_error);
                return false;
            }
            _insize = static_cast<size_t> (nbytes);
            _decoder->resize_buffer (_insize);
            while (_insize > 0) {
                size_t processed = 0;
                rc = _decoder->decode (_inpos, _insize, processed);
                _inpos += processed;
                _insize -= processed;
                if (rc == 0 || rc == -1)
                    break;
                rc = (this->*_process_msg) (_decoder->msg ());
                if (rc == -1)
                    break;
            }
        } while (rc != -1);
        if (errno != EAGAIN) {
            error (protocol_error);
            return false;
        }
        _session->flush ();
    } else if (rc == -1) {
",
    },
    // A ROUTER limits the parts of an unfinished message.
    Patch {
        file: "session_base.hpp",
        old: "    zmq::pipe_t *_pipe;\n\n    //  Pipe used to exchange messages with ZAP socket.\n",
        new: "    zmq::pipe_t *_pipe;

    //  The number of parts received of the current message.
    int _parts = 0;

    //  Pipe used to exchange messages with ZAP socket.
",
    },
    Patch {
        file: "session_base.cpp",
        old: "    if (_pipe && _pipe->write (msg_)) {\n        const int rc = msg_->init ();\n",
        new: "    const bool more = (msg_->flags () & msg_t::more) != 0;
    if (more && _parts >= 16 && options.type == ZMQ_ROUTER) {
        errno = EMSGSIZE;
        return -1;
    }
    if (_pipe && _pipe->write (msg_)) {
        _parts = more ? _parts + 1 : 0;
        const int rc = msg_->init ();
",
    },
];
