// The shapes that core gives to whoever draws them. All texts in them were verified, and are
// fit to be shown as text; none is HTML.
//
// A refusal or a failure is a Problem (setup/problem.js): code is the camera's (docs/protocol.md
// 5.2) or the page's own, message a sentence that says what to do.

/** @typedef {'view'|'listen'|'talk'|'snapshot'|'events'|'settings'|'members'|'update'|'audit'} Scope */
/** @typedef {'owner'|'adult'|'guest'} Role */
/** @typedef {'starting'|'ok'|'degraded'|'failed'} Condition */

/**
 * How a camera stands. Everything but name, link and sentence is as the camera said it last,
 * and undefined until it did; while link is not 'online' it may be old.
 * @typedef {object} CameraState
 * @property {string} name           what the household, or the card, calls the camera
 * @property {'connecting'|'online'|'offline'|'refused'} link  refused: the camera, or the broker, does not accept this client
 * @property {boolean} [removed]     the camera knows this client no longer; else a refused link may come back
 * @property {string} sentence       why link is not 'online'; else empty
 * @property {boolean} needsAddress   nothing says where its broker is for browsers: its person has to (Home.setAddress)
 * @property {string} [member]       what the household calls this client
 * @property {Role} [role]
 * @property {Scope[]} [scopes]      what this client may do; its hours may not allow it now: see standing
 * @property {string} [standing]     'ok', or the code by which these rights rest now
 * @property {boolean} [privacy]     privacy mode is on
 * @property {{client: string, name: string, scopes: Scope[], since: Date, own: boolean}[]} [watching]  who watches, listens or talks; own: this client, in this page or another
 * @property {string} [talking]      name of who talks now
 * @property {Member[]} [members]    those that this client may see
 * @property {{n: number, time: Date, picture: boolean}} [lastEvent]  the last ring
 * @property {Alarm} [alarm]         something contradicts the access log
 * @property {Update} [update]       undefined: this camera gets no updates
 * @property {{name: string, state: Condition, reason: string}[]} [conditions]  how the camera's parts are
 * @property {string} [version]      of the camera's software
 * @property {{client: string, name: string}[]} unanswered  removals that the camera has not confirmed
 * @property {string} [timeZone]
 */

/** @typedef {{kind: string, sentence: string, at: Date, have: string, got: string}} Alarm */

/**
 * @typedef {object} Member
 * @property {string} client     its key's name
 * @property {string} words      of its key
 * @property {string} name
 * @property {Role} role
 * @property {Scope[]} scopes
 * @property {string} weekly     weekly hours, such as "Mo-Fr 08:00-17:00"; empty: always
 * @property {Date} [from]       beginning and end of its access
 * @property {Date} [until]
 * @property {string} parent     of a guest: the client whose guest it is
 * @property {string} by         name of the member who added it; empty: it paired at the camera
 * @property {Date} added
 * @property {string} standing   'ok', or the code by which its rights rest now
 * @property {string} sentence   that code's; empty when ok
 * @property {Scope[]} watching  what it uses now
 * @property {boolean} own       it is this client
 */

/**
 * What a new member may do.
 * @typedef {object} Grant
 * @property {string} name
 * @property {Role} role
 * @property {Scope[]} scopes
 * @property {string} [weekly]
 * @property {Date} [from]
 * @property {Date} [until]
 */

/**
 * @typedef {object} Settings
 * @property {string} name
 * @property {string} time_zone     of the IANA database
 * @property {'device'|'members'} privacy_off  who may switch privacy mode off
 * @property {string} quiet_hours   such as "22:00-07:00"; empty: none
 * @property {'announced'|'accepted'} talk     accepted: a kids' room, where someone presses the button first
 * @property {string} update_hours
 * @property {'on'|'off'} push      the camera sends sealed notices to push services; only an owner turns it on
 * @property {boolean} privacy
 * @property {string[]} chosen      names of those that the household chose
 */

/**
 * One entry of the access log.
 * @typedef {object} Entry
 * @property {number} n
 * @property {Date} [time]          by the camera's clock
 * @property {string} kind          docs/protocol.md 6.3; 'dropped' where only a hash is left
 * @property {string} sentence
 * @property {boolean} verified     it is in the log that the camera has signed
 * @property {string} [op]          operation that it is about: docs/protocol.md 4.4
 * @property {string} [who]         client that did it
 * @property {string} [did]         of a beginning: who did what, as it is said once that has ended, without a full stop
 * @property {number} [ends]        of an end: the entry of the beginning
 * @property {string} [whole]       of an end: the sentence about the whole of it, if that is not how long it lasted
 * @property {string} [because]     of an end: why; empty if who began it also ended it
 */

/**
 * @typedef {object} History
 * @property {Entry[]} entries      the newest last
 * @property {boolean} verified     all entries up to the end were compared with what the camera signed
 * @property {boolean} complete     this client may see all entries; else those about itself
 * @property {number} size          entries in the log
 * @property {number} begin         older entries are before this number; 0: there are none that this client may see
 * @property {string} sentence      what was verified, or why not
 */

/** @typedef {{n: number, time: Date, kind: 'ring', picture: string, size: number}} Ring  picture: its type, empty if there is none */

/**
 * @typedef {object} Update
 * @property {string} state         docs/protocol.md 12.1
 * @property {string} version       that runs
 * @property {string} offered       that state is about
 * @property {string} notes         its maker's words
 * @property {boolean} security     it closes a security hole
 * @property {number} percent
 * @property {Date} [checked]       when the camera last heard its update server
 * @property {Date} [postponed]
 * @property {Date} [latest]        it can't be put off further
 * @property {string} reason        others' words, or empty
 * @property {string} sentence      how it stands
 * @property {boolean} logged       the release is in the public log: the camera takes no other
 */

/**
 * What a camera card would do. Nothing of it is kept before its person has compared the words.
 * @typedef {object} Invitation
 * @property {string} signer        name of the key that signed it
 * @property {string} words         of that key: to be compared with those that the signer shows
 * @property {string} by            what the household calls the signer
 * @property {string} camera        what the signer calls the camera
 * @property {string} member        what the household calls this client
 * @property {Role} role
 * @property {string} broker        its address
 * @property {boolean} needsAddress the card names no address for browsers, and neither does the page's server
 * @property {string[]} changes     sentences about what would change of a camera that is known; empty for a new one
 */

/** @typedef {'auto'|'high'|'low'} Wish  a stream of pictures that a viewer asks for; auto: what the path carries */

/**
 * Which stream of pictures a camera sends, and why: docs/protocol.md 7.7.
 * @typedef {object} StreamState
 * @property {'high'|'low'} stream
 * @property {string} why           'asked', 'path' or 'no_other'
 * @property {boolean} skips        the path carries only some pictures of it
 */

/**
 * @typedef {object} Stats
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [fps]
 * @property {number} [kbps]
 * @property {number} [delay]       milliseconds from the network to the screen, about
 * @property {number} [lost]        packets
 * @property {string} [path]        'direct' or 'relay'
 * @property {number} [first]       milliseconds from asking to the first picture
 */

export {};
