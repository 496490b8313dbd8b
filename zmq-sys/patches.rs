//! What is changed in libzmq 4.3.4: what a connection costs, and how much of a message may wait for its end.
//!
//! With 10,000 workers the queue's memory is libzmq's, 25 kB for each as it is released and 5 kB with these changes:
//!
//! * Queues between threads grow by chunks of 256 messages of 64 bytes, four of them a connection.
//! * Every connection reads and writes through buffers of 8 KiB. To read many messages at once helps who gets streams of
//!   them; a ROUTER here gets a short request from each of many peers, and what it sends is short or sent from where it is.
//! * Session, engine and mechanism of a connection had a copy each of all options of their socket (1.1 kB). They share one
//!   that is made when the socket begins to listen. Nothing but a socket changes its options, and it has its own.
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
    Patch { file: "config.hpp", old: "message_pipe_granularity = 256,", new: "message_pipe_granularity = 2," },
    Patch {
        file: "router.cpp",
        old: "    options.type = ZMQ_ROUTER;\n",
        new: "    options.type = ZMQ_ROUTER;\n    options.in_batch_size = 128;\n    options.out_batch_size = 512;\n",
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
