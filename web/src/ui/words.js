// All texts of the page, in English. Another language is another file of this shape. Refusals
// are not here: core has the camera's own sentences (docs/protocol.md 5.2).

const list = (names) => new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
const many = (n, one, more) => (n === 1 ? one : more.replace('#', n));

/** own looks a word up by what a camera says: it may say anything, `constructor` too. */
export const own = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);

export const words = {
  someone: 'someone',
  differ: { title: 'Don’t go on' },
  cancel: 'Cancel', close: 'Close',
  unforeseen: (what) => `Something in this page failed (${what}). Load the page again.`,

  time: {
    today: 'Today', yesterday: 'Yesterday', now: 'just now',
    minutes: (n) => many(n, 'a minute ago', '# minutes ago'),
    seconds: (n) => many(n, 'for a second', 'for # seconds'), forMinutes: (n) => many(n, 'for a minute', 'for # minutes'),
    hours: (h, m) => `for ${many(h, 'an hour', '# hours')}${m > 0 ? ` and ${many(m, 'a minute', '# minutes')}` : ''}`,
    at: (day, clock) => `${day}, ${clock}`,
  },

  app: {
    name: 'Cameras', skip: 'Skip to the content', back: 'All cameras', opening: 'Opening this browser’s keys…',
    failed: 'This page can’t start', newer: 'A newer version of this page is ready.', reload: 'Load it',
    rang: (camera) => `Someone rings at ${camera}.`, answer: 'Look', dismiss: 'Close',
    unanswered: (camera, names) => `${camera} has not confirmed yet that ${list(names)} can no longer get in. The page keeps asking it.`,
  },

  alarm: {
    title: (camera) => `The access log of ${camera} can’t be trusted`,
    short: 'Its access log can’t be trusted. Open it to see why.',
    what: 'Someone may have watched without leaving a trace. Talk to the other members; if nobody has an explanation, switch the camera off.',
    look: 'See the history', acknowledge: 'I have seen this',
  },

  welcome: {
    title: 'See and hear your home', lead: 'There is no password. Your camera answers only to keys that someone in the household has added. This browser has a key of its own.',
    demo: 'Open the demo camera', demoHelp: 'Pair with the camera that runs on this computer', pairing: 'Pairing with the camera…',
    card: 'I was invited', cardHelp: (scan) => (scan ? 'Open a camera card: a link, a file or a QR code' : 'Open a camera card: a link or a file'),
    setup: 'Set up a new camera', setupHelp: 'You stand at the camera and have its label',
    key: 'Show my key', keyHelp: 'For the person who will add you',
  },

  cameras: {
    title: 'Cameras', add: 'Add', key: 'My key', ready: 'Ready', rang: 'The bell rang', snapshot: 'Take a snapshot',
    taking: 'Taking a snapshot. The household is told…', pictureOf: (name) => `Snapshot of ${name}`,
  },

  camera: {
    live: 'Live picture', navigation: 'Camera', tabs: { live: 'Live', people: 'People', history: 'History', settings: 'Settings' },
    old: 'What you see below may be out of date.',
    recent: 'Recently', allHistory: 'All history', quiet: 'Nothing has happened yet.', reading: 'Reading the access log…', unread: 'Here you will see what happened, once the camera answers.',
    privacy: 'Privacy mode', privacyOn: 'The camera sees and hears nothing.', privacyOff: 'While it is on, the camera sees and hears nothing.',
    startingPrivacy: 'Switching privacy mode on…', endingPrivacy: 'Switching privacy mode off…', conditions: 'Not working',
  },

  stage: {
    live: 'Live', talking: 'You are live', private: 'Private', none: 'No picture', connecting: 'Connecting…', stalled: 'The picture has stopped',
    small: { path: 'Small picture: the connection is too slow now', asked: 'Small picture, as you chose' }, skips: 'Some pictures are missing: the connection is too slow now',
    soundOnly: 'Sound only', soundOnlyWhy: 'You may only listen to this camera. An owner can change that.',
    connectingWhy: 'Waiting for the first picture…', asking: 'Asking the camera…',
    links: { connecting: 'Connecting…', offline: 'Not connected', refused: 'No access', online: 'Connected' },
    ended: 'The picture has stopped. The page is asking for it again.', again: 'Try again now', address: 'Type the address',
    privateTitle: 'Privacy mode is on',
    privateWhy: {
      you: 'The camera sees and hears nothing until someone switches privacy mode off.',
      owner: 'The camera sees and hears nothing. Ask an owner to switch privacy mode off.',
      device: 'The camera sees and hears nothing. Only someone at the camera can switch privacy mode off, by its button.',
    },
    endPrivacy: 'Switch privacy mode off', endingPrivacy: 'Switching privacy mode off…',
    picture: (name) => `Live picture of ${name}`,
    nobody: 'Nobody is watching', onlyYou: 'Only you are watching',
    youAnd: (names) => `You and ${list(names)} are watching`,
    others: (names) => `${list(names)} ${names.length === 1 ? 'is' : 'are'} watching`,
  },

  talk: {
    button: { idle: 'Hold to talk', asking: 'Wait', announcing: 'Wait', live: 'You are live', kept: 'Tap to stop' },
    asking: 'Opening the microphone', askingMore: 'Nobody hears you yet.',
    announcing: 'Wait: the chime plays first', announcingMore: 'The camera tells the room who wants to talk.',
    live: 'You are live', liveMore: 'The room hears you now.',
    ended: 'The talk ended.', allowed: 'You may use the microphone now. Hold the button to talk.',
    noScope: 'You may not talk through this camera. Ask an owner.', inPrivacy: 'You can talk when privacy mode is off.', noSession: 'You can talk once there is a picture.',
  },

  controls: {
    sound: 'Sound', savePicture: 'Save picture', full: 'Full screen', more: 'More', moreRecording: 'Recording',
    record: 'Record', stopRecording: 'Stop', pip: 'Small window', saved: 'The picture is saved as a file.',
    stream: 'Picture', streams: { auto: 'Automatic', high: 'Full picture', low: 'Small picture' }, streamsHelp: 'Automatic: you get the small picture while the connection is too slow for the full one.', oneStream: 'The camera has only one size of picture for this browser now.',
    recording: (megabytes) => `Recording… When you stop, it is saved as a file; ${megabytes} MB at most.`, recorded: 'The recording is saved as a file.',
    recordedFull: (megabytes) => `The recording has reached ${megabytes} MB, the most that this page can hold. It is saved as a file. To go on, record again.`,
    noRecorder: 'This browser can’t record. Use another one.', noFrame: 'There is no picture to save yet. Try again in a moment.',
    numbers: 'Connection',
    values: {
      width: ['Picture', (width, { height }) => `${width} × ${height}`],
      fps: ['Pictures a second', (n) => n.toFixed(1)],
      delay: ['Delay', (n) => `${Math.round(n)} ms`],
      kbps: ['Bit rate', (n) => `${Math.round(n)} kbit/s`],
      lost: ['Lost packets', (n) => String(n)],
      path: ['Route', (p) => (p === 'relay' ? 'through a relay' : 'direct')],
      first: ['First picture after', (n) => `${Math.round(n)} ms`],
    },
  },

  rights: {
    title: 'What they may do', notYours: '(you don’t have this right yourself)', everything: 'may do everything', usual: { guest: 'may watch and listen', adult: 'may watch, talk and invite guests' },
    list: (rights) => (rights.length === 0 ? 'may do nothing' : `may ${list(rights)}`),
    short: { view: 'watch', listen: 'listen', talk: 'talk', snapshot: 'take snapshots', events: 'see who rang', settings: 'change settings', members: 'invite guests', update: 'update the camera', audit: 'see the history' },
    may: {
      view: 'Watch the live picture', listen: 'Listen', talk: 'Talk through the camera, after its chime', snapshot: 'Take snapshots', events: 'See who rang the bell',
      members: 'Invite guests', settings: 'Change settings', update: 'Install updates', audit: 'See the whole history',
    },
    from: (time) => `From ${time}`, until: (time) => `Until ${time}`, daily: (from, to) => `Every day ${from}–${to}`,
    days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
    longDays: ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'],
  },

  people: {
    title: 'People', invite: 'Invite', reading: 'Asking who the members are…', you: '(you)', watching: 'Watching',
    roles: { owner: 'Owner', adult: 'Adult', guest: 'Guest' }, guestOf: (name) => `guest of ${name}`,
    standings: { outside_schedule: 'Not allowed at this time', expired: 'Their last day is over', suspended: 'Suspended: no owner has used the camera for 30 days', clock_unknown: 'The camera does not know what time it is' },
    gone: 'This person is not a member any more.', addedBy: (by, when) => `Added by ${by}: ${when}.`, paired: (when) => `Paired at the camera: ${when}.`,
    changed: 'Someone else has changed what this person may do. What you see here is your choice, which is not saved yet.',
    words: 'Six words', save: 'Save changes', saving: 'Saving. The household is told…', saved: 'Saved.',
    noKey: 'To change what this person may do, their key is needed again.', askKey: 'Ask for their key',
    makeCard: 'Make the camera card again', makingCard: 'Making the camera card…',
    looking: 'Looking who else would lose access…',
    removeOne: (name) => `Remove ${name}`, remove: 'Remove', leave: 'Leave', removing: 'Removing. The camera ends what is under way…',
    removeTitle: (name) => `Remove ${name}?`, removeText: (name) => `${name} loses access at once: a picture that is open now ends.`,
    leaveTitle: (camera) => `Leave ${camera}?`, leaveText: 'This browser loses access at once. Only another member can add it again.',
    fall: (names) => `${list(names)} ${names.length === 1 ? 'is a guest' : 'are guests'} of this person and ${names.length === 1 ? 'loses' : 'lose'} access, too.`,
    fallNobody: 'Nobody else loses access.',
    keepGuests: (n) => many(n, 'Let this guest stay, as my guest', 'Let these # guests stay, as my guests'),
  },

  schedule: {
    title: 'When', limited: 'Only at certain hours', day: 'Day', from: 'From', to: 'To',
    times: { from: (day) => `${day}, from`, to: (day) => `${day}, to` },
    help: 'These times are in the camera’s time zone. If the end is before the start, it is on the next day.',
    incomplete: 'Choose at least one day. Its start and end must not be the same time.',
    complex: (weekly) => `This table can’t show the hours that are set now: ${weekly}. If you change something in it, the table replaces them.`,
  },

  invite: {
    title: 'Invite someone', reading: 'Checking the key…', granting: 'Adding them. The household is told…',
    steps: (address, scan) => [address ? `On their phone or computer, they open ${address} and choose “Show my key”.` : 'They open a page like this one in their own browser, and choose “Show my key”. The address of this page works only on this computer.', scan ? 'You scan the code on their screen, or they send you the key.' : 'They send you the key, as a text or a file.', 'You compare six words, and say what they may do.'],
    key: 'Their key', keyHelp: 'It begins with CAMD-KEY. It is no secret.',
    compareTitle: 'Do they see the same six words?', compare: 'Ask them, face to face or on the phone: the words stand beside the code on their screen. If one differs, someone has changed the key on the way.',
    sameWords: 'They are the same', different: 'They differ',
    differ: 'This is not the key that is on their screen: someone between you may have put another one in its place. Nobody was added. Have them give you the key in another way, best face to face, and compare again. If the words differ again, add nobody, and tell the household.',
    name: 'Name', nameHelp: 'What the household calls this person. The camera says it before they talk.',
    role: 'Role',
    roles: {
      guest: 'May do what you choose below. If you are removed, they are, too.',
      adult: 'May do what you choose below, and may have guests. Stays a member if you are removed.',
      owner: 'May do everything, and may remove every member, you too.',
    },
    until: 'Last day', untilHelp: 'Leave empty for no end.', grant: 'Let them in',
    doneTitle: (name) => `${name} is a member now`, done: (name) => `Now give ${name} the camera card. It tells their browser how to reach the camera. Only their key opens it, so you can send it by any way.`,
    cardFor: (name) => `Camera card for ${name}`,
    cardTitle: (camera) => `Camera card for ${camera}`, cardQR: 'QR codes with the camera card, one after the other', cardHelp: (name) => `If ${name}’s page has the button “Scan a QR code”, it can read these codes. A phone’s own camera app can’t: send the card instead.`,
    linkHere: 'The link works only on this computer. Send the file to people who are elsewhere.',
    yours: 'Your six words', yoursHelp: (name) => `${name}’s page will ask to compare these with you.`, back: 'Back to people',
  },

  login: {
    title: 'Login at the broker', user: 'User', password: 'Password', copy: 'Copy the command with their key',
    why: 'The broker carries the messages between camera and members. This page can’t make a login there.',
    how: 'If your household’s server was made with deploy/household, make the login first, on the computer with the folder camd-household:',
    then: 'Type here what the command prints. The camera card takes it along. Leave both fields empty if the broker needs no login.',
    none: (name) => `This card has no login at the broker. If your household’s server was made with deploy/household, ${name} can’t reach the camera with it: choose ${name} under “People”, and make the card again with a login.`,
  },

  key: {
    title: 'My key', short: 'This browser’s key, and what happens if it is lost',
    what: 'This is the key of this browser. It is no secret: all that others can do with it is add you.',
    steps: ['A member of the household scans this code, or you send them the key.', 'Compare the six words with them, face to face or on the phone.'],
    card: 'They give you a camera card.', openCard: 'Open it here.',
    qr: 'QR code with this browser’s key', words: 'Six words', share: 'Share', copy: 'Copy the key', copyLink: 'Copy the link', file: 'Save as a file', copied: 'Copied.',
    lostTitle: 'If this key is lost',
    lost: 'The key never leaves this browser, so nobody has a copy. If you clear the browser’s data or lose this device, this key is gone: another owner adds your new key, or, if you are the only owner, someone at the camera removes everyone and you pair again. Then remove the lost key under “People”.',
    notPersistent: 'The browser has not promised to keep this key. Install this page, or add a bookmark, so that it is not cleared when space runs short.',
  },

  paste: { next: 'Continue', file: 'Open a file', empty: 'There is nothing in it. Paste the whole text.' },
  qr: {
    scan: 'Scan a QR code', opening: 'Opening this device’s lens…', lens: 'What this device’s lens sees', hold: 'Point this device’s camera at the code.',
    parts: (have, count) => `${have} of ${count} codes read. Keep still.`,
    failed: {
      NotAllowedError: 'This page may not use this device’s camera. Allow it in the browser’s settings of this page, or paste the text.',
      NotFoundError: 'This device has no camera. Paste the text, or open a file.',
      other: 'This device’s camera does not work now: another program may use it. Try again, or paste the text.',
    },
  },

  add: {
    title: 'Add a camera', reading: 'Opening the camera card…', adding: 'Adding the camera…',
    what: 'Someone added you and gave you a camera card. Open its link, or give the card to this page.',
    label: 'Camera card', hint: 'Paste the card or the link.', noCard: 'No card yet?', showKey: 'Show your key to someone of the household.',
    camera: 'Camera', unnamed: 'no name yet', by: 'Added by', as: 'You are',
    compareTitle: (by) => `Does ${by} have the same six words?`,
    compare: (by) => `Ask ${by}, face to face or on the phone: their page shows these words below “Your six words”. If one differs, this card is not from them.`,
    differ: (by) => `This card is not from ${by}, or not from their page: someone between you may have made it. Nothing of it was kept. Ask ${by}, face to face or on the phone, for a new card, and compare again.`,
    same: 'They are the same', different: 'They differ', changes: 'What would change',
    broker: 'Address of the broker', brokerHelp: 'The card does not say at which address browsers reach the broker. Ask the person who added you.',
  },

  history: {
    title: 'History', reading: 'Reading the access log…', partly: 'You see only what is about you. To see everything, you need the right to see the whole history: ask an owner.',
    during: (did, lasted, because) => `${did}${lasted && ` ${lasted}`}${because && `: ${because}`}.`,
    dropped: (n) => `The camera no longer keeps what ${n} entries said.`,
    shown: (lines, entries, size) => [entries < size ? `Below are the newest ${entries}.` : '', lines < entries ? 'A beginning and its end are one line.' : ''].filter(Boolean).join(' '),
    empty: 'Nothing has happened yet.', older: 'Show older', picture: 'Show the picture', pictureOf: (when) => `Who rang: ${when}`, fetching: 'Fetching the picture…', noTime: 'Without a time',
  },

  update: {
    title: 'Software', none: 'This camera gets no updates over the network.', unknown: 'The camera has not said yet which version it has.', reading: 'Asking the camera…',
    installed: 'Installed', offered: 'New', checked: 'Looked for updates', progress: 'Progress', news: 'What is new',
    security: 'It closes a security hole. Install it soon.', logged: 'This release is in the public log. The camera installs no others.',
    install: 'Install now', asking: 'Asking the camera to install…', postpone: 'Wait a week', postponing: 'Telling the camera…', resume: 'Don’t wait any longer', look: 'Look for updates now', looking: 'The camera looks for updates…',
    latest: (when) => `It can wait until ${when}.`, noScope: 'Only members with the right to update the camera decide this.',
  },

  settings: {
    title: 'Settings', reading: 'Reading the settings…', saving: 'Saving. The household is told…', saved: 'Saved', unsaved: (why) => `Not saved. ${why}`, again: 'Save again', twoTimes: 'The two times must not be the same.',
    noScope: 'You may see these settings, not change them. Ask an owner.',
    name: 'Name', nameHelp: 'What the household calls this camera.',
    zone: 'Time zone', zoneHelp: 'All hours are in this time zone. An example: Europe/Berlin.',
    quiet: 'Quiet hours', quietOn: 'Nobody may talk at certain hours', quietHelp: 'Every day, nobody can talk through the camera between these times.', from: 'From', to: 'To',
    talk: 'When someone talks', announced: 'They are heard after the chime and their name', accepted: 'For a kids’ room: they are heard only after someone in the room has pressed the camera’s button',
    talkHelp: 'Only someone at the camera can change from the second back to the first.',
    privacyOff: 'Who ends privacy mode', byDevice: 'Only someone at the camera', byMembers: 'Also members who may change settings', privacyOffHelp: 'Only someone at the camera can change from the first to the second.',
    stricterTitle: 'Only someone at the camera can undo this', stricterText: 'You can’t change it back from this page. Go on?', stricter: 'Change it',
    address: 'Connection of this browser', addressHelp: 'You need this only if neither the camera card nor the server of this page has the address. Ask whoever runs the broker.', connect: 'Connect', connecting: 'Connecting…',
  },

  forget: {
    button: 'Remove this camera from this page', title: (camera) => `Remove ${camera} from this page?`, yes: 'Remove it',
    member: 'You stay a member of its household.', card: 'To see the camera here again you need a new camera card.', forgetting: 'Removing the camera from this page…',
  },

  pushes: {
    title: 'Notices', unknown: 'A message came that this page can’t read. Open it to see what is new.',
    here: 'Show notices on this device while the page is closed', hereHelp: 'Who rang, new members, and alarms. The browser’s push service learns when, and nothing else.',
    allow: 'Cameras may send notices through push services', allowHelp: 'For the whole household. Only an owner can switch it on.',
    off: 'The household has this switched off.', impossible: 'This browser has no notices of closed pages. On an iPhone or iPad put the page on the home screen first.',
    reading: 'Asking how notices stand…', changing: 'Changing how notices stand…',
  },

  setup: {
    title: 'Set up a camera',
    ownServer: 'Your household has its own server? Read this first.',
    ownServerHow: 'If the server was made with deploy/household, this page can’t set up the camera: the camera needs a certificate for the broker, and camctl makes it. On the computer with the folder camd-household, pair with “camctl pair”, and then add the key of this page with “camctl grant”. docs/household.md has the commands.',
    labelTitle: 'Find the label', labelText: 'It is on the camera or in its box: a QR code with letters below. Whoever has it can pair, so keep it safe.',
    label: 'Label', labelHint: (scan) => `${scan ? 'Scan it, or type' : 'Type'} the letters below the code. Dashes and spaces don’t matter.`,
    buttonTitle: 'Hold the pairing button', buttonText: 'Hold it for three seconds, until the light blinks. For five minutes the camera then accepts a new key.',
    wayTitle: 'How do you reach it?', near: 'By Bluetooth', nearHelp: 'You stand near the camera with this device', noBluetooth: 'This browser has no Bluetooth for pages. Chrome on a phone or computer has it; the code below works everywhere.',
    code: 'By a code that the camera reads', codeHelp: 'You hold this screen before its lens', otherLabel: 'Use another label',
    states: { looking: 'Choose the camera in the browser’s list', connecting: 'Connecting', pairing: 'Pairing: camera and browser prove who they are', choosing: 'What the camera needs to know', working: 'The camera tries it' },
    owned: 'This camera is set up already. Leave everything empty to change nothing.', set: 'Continue', again: 'Try again',
    wifi: 'Wi-Fi', network: 'Network', keepWiFi: 'Leave as it is', ssid: 'Name of the network (empty: by cable, or as it is)', password: 'Password', open: 'open', openOk: 'The network is open, and I want that', hidden: 'The network hides its name',
    broker: 'Broker', brokerHelp: 'Where camera and browsers meet. Whoever runs your household’s server knows this.', brokerUrl: 'Address for the camera', ca: 'Certificate of its authority (empty: a public one)',
    est: 'Enrolment server for the camera’s certificate', estUser: 'Its user', estPassword: 'Its password',
    codeWhat: 'All that you enter here is encrypted in a code that only your camera can read.', device: 'Camera id', deviceHelp: '26 letters and digits: the camera’s box or its maker tells it. A scanned label has it.',
    show: 'Show the code', showTitle: 'Hold this screen before the lens', showText: 'A hand’s length away, and still. The camera’s light changes once it has read everything.', lensCode: 'Code for the camera’s lens', waiting: 'Waiting for the camera’s answer…',
  },
};
