//! What is changed in libzmq 4.3.4: what a connection costs, and how much of a message may wait for its end.
//!
//! With 10,000 workers the queue's memory is libzmq's, 25 kB for each as it is released and 5 kB with these changes:
//!
//! * Queues between threads grow by chunks of 256 messages of 64 bytes, four of them a connection.
//! * Every connection reads and writes through buffers of 8 KiB. To read many messages at once helps who gets streams of
//!   them; a ROUTER here gets a short request from each of many peers, and what it sends is short or sent from where it is.
//!   PUSH and PULL carry streams, and read and write 64 KiB at a time: a quarter more messages a second than with 8.
//! * Session, engine and mechanism of a connection had a copy each of all options of their socket (1.1 kB). They share one
//!   that is made when the socket begins to listen. Nothing but a socket changes its options, and it has its own.
//!
//! When a peer closes a socket in the file system (that is how a program ends which has sent all it had), libzmq throws away
//! what it has not read yet if it had stopped reading because its own reader is slow. Here it reads on to the end.
//!
//! A message is handed over when all its parts are there, and until then nothing bounds how many there are. A ROUTER here
//! closes the connection that sends too many.

/// A text in a file of libzmq's, and what takes its place.
pub struct Patch {
    pub file: &'static str,
    pub old: &'static str,
    pub new: &'static str,
}

pub const PATCHES: &[Patch] = &[
    // A pipe for no more than 256 messages, as those of a queue and its workers, gets small chunks. Where thousands wait
    // (PUSH and PULL), they are an allocation for two messages.
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
    // One copy of the options.
    Patch { file: "options.hpp", old: "#include <string>\n", new: "#include <memory>\n#include <string>\n" },
    Patch {
        file: "options.hpp",
        old: "struct options_t\n{\n    options_t ();\n",
        new: "struct options_t\n{\n    options_t ();\n
    //  A copy to be shared and not to be changed; of such a copy, itself.
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
    // The engine owns the mechanism, and has the options as long.
    Patch {
        file: "mechanism.hpp",
        old: "    const options_t options;\n",
        new: "    const options_t &options;\n",
    },
    // What a peer sent before it went.
    Patch {
        file: "stream_engine_base.cpp",
        old: "    else if (_io_error) {\n        error (connection_error);\n        return false;\n    } else if (rc == -1) {\n",
        new: "    else if (_io_error && rc != -1) {
        //  The descriptor is no longer polled, but what came before the
        //  peer went can still be read.
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
    // The parts of a message that is not finished.
    Patch {
        file: "session_base.hpp",
        old: "    zmq::pipe_t *_pipe;\n\n    //  Pipe used to exchange messages with ZAP socket.\n",
        new: "    zmq::pipe_t *_pipe;

    //  Parts of the message that is being received.
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
