# English. Every other language has the same messages: a test compares them.

language-name = English

# The frame of every page

frame-skip = Skip to the content
frame-menu = Menu
frame-sign-out = Sign out
frame-language = Language
frame-home = Go to the start page
frame-copy = Copy
frame-copied = Copied
tab-organizations = Organizations
tab-account = Account
tab-security = Security
tab-api = API access
tab-applications = Applications
form-error = Error
form-wrong = Something is not right yet: see below.
form-optional = (optional)
form-show = Show
form-hide = Hide

# Fields

field-email = E-mail address
field-new-email = New e-mail address
field-password = Password
    .hint = At least 8 characters and hard to guess: a few unusual words do well.
field-new-password = New password
field-name = Your name
field-first-name = First name
field-last-name = Last name
field-organization = Name of your organization
    .hint = You can make or join organizations later, too.
field-role = Role
field-code = Code
    .hint = Six digits, from the e-mail.
field-recovery-code = Recovery code
field-device-code = Code on your device
field-passkey = Name of the passkey
    .hint = For instance the device it is on.

# What is wrong with them

wrong-blank = Please fill this in.
wrong-invalid = This does not look right.
wrong-taken = This has been invited or is a member already.
wrong-inclusion = Please choose one of the list.
wrong-owner = This has to be handed over first.
wrong-limit_reached = The plan does not allow more.
wrong-password-short = At least 8 characters, please.
wrong-password-long = At most 128 characters, please.
wrong-password-weak = This is easy to guess. Try a few unusual words.
wrong-sign-in = That address and password do not go together.
wrong-many = That was often today. Please try again tomorrow.
wrong-password = That is not the password.
wrong-password-or-code = The password or the code is not right.
wrong-code = That code is not right, or no longer.
wrong-passkey = That passkey was not accepted.
wrong-device-code = That code is not known, or no longer.
wrong-busy = Too many people are signing in at this moment. Please try again.
wrong-wait = { $count ->
    [one] Too many tries. Please wait a minute.
   *[other] Too many tries. Please wait { $count } minutes.
}
passkey-failed = The browser did not give a passkey. You can try again.

# What was done

said-welcome = Your address is proved. Welcome!
said-joined = You are a member now.
said-have-account = There is an account with this address already. Please sign in.
said-start-again = Please sign in again.
said-signed-out = You are signed out.
said-signed-out-everywhere = You are signed out everywhere.
said-password-changed = The password is changed, and all other sessions have ended.
said-password-removed = The password is removed. You sign in with a passkey now.
said-no-way-in = That is your last way in, so it stays.
said-address-letter = An e-mail with a link is on its way to the new address.
said-address-changed = Your address is proved.
said-address-back = Your old address is back and all sessions have ended. Now choose a new password.
said-saved = Saved.
said-invited = The invitation is on its way.
said-resent = A new e-mail is on its way; the old link no longer works.
said-removed = Removed.
said-left = You have left the organization.
said-session-ended = The session has ended.
said-code-off = One-time codes are off.
said-passkey-added = The passkey is ready to sign in with.
said-passkey-removed = The passkey is removed.
said-passkey-failed = The passkey could not be added. Please try again.
said-secret = This is the new secret. Keep it safe: it is shown this once.

# The question before what cannot be taken back

sure = Are you sure?
    .yes = Yes
    .no = No, go back
sure-remove = The person is a member no more from this moment on, and has to be invited anew to come back.
sure-revoke = The link in the e-mail will no longer work.
sure-leave = You are a member no more from this moment on, and have to be invited anew to come back.
sure-decline = The invitation ends. To join later you have to be invited again.
sure-rotate = Programs that use the old secret stop working until they have the new one.
sure-withdraw = The application can do nothing for you any more from this moment on, and has to ask you anew.
sure-sign-out = The command line has to be let in anew.
sure-forget-password = From now on you need one of your passkeys to sign in.
sure-recovery-codes = The old recovery codes will no longer work.
sure-remove-code = From now on the password alone opens your account.
sure-remove-passkey = The passkey will no longer open your account.

# Where nothing is

dead-missing = There is nothing here
    .lead = The address may be mistyped, or what was here is gone.
dead-method = That is not possible here
    .lead = This page can be read and its forms can be sent, nothing else.
dead-forged = That form cannot be accepted
    .lead = It came from an old page or from elsewhere. Go back, load the page anew and try again.
dead-forbidden = That is not for you to do
    .lead = Ask an admin of the organization.
dead-many = Too many invitations
    .lead = So many invitations are not sent in one day. Please try again tomorrow.
dead-changed = Something has changed meanwhile
    .lead = Go back, load the page anew and try again.
dead-large = That is too much
    .lead = A form on this site is much smaller.
dead-often = Too many requests
    .lead = Please wait a minute.
dead-broken-off = That did not arrive
    .lead = Please try again.
dead-busy = Too much is going on
    .lead = Please try again in a moment.
dead-broken = Something broke
    .lead = It was not your fault, and it has been noted. Please try again later.
dead-invited = Accounts are by invitation
    .lead = Ask somebody who is a member to invite you. The e-mail leads you on.
dead-closed = No new accounts here
    .lead = Only whoever runs this server makes accounts. Please ask them for one.
dead-proof = This link or code no longer works
    .lead = It works for one day, and after five wrong tries no more. Please sign up again.
dead-reset = This link no longer works
    .lead = It works once and for one hour. If it is too late, have a new one sent.
dead-address = This link no longer works
    .lead = It was used, replaced or not used in time, or it belongs to another account than yours.
dead-address-taken = That address is in use
    .lead = Another account has it by now, or it was invited where you are a member already.
dead-invitation = We do not know this invitation
    .lead = The link may be cut off: try to open it from the e-mail once more.

# Signing up

sign-up = Create your account
    .lead = One account for every organization you make or join.
    .button = Create account
    .have = I have an account
sign-up-check = Check your e-mail
    .lead = We have written to { $address }. Open the link in the e-mail, or type its code here.
    .late = Nothing there? It can take a minute. Look into the spam folder, too.
    .button = Go on
    .again = Use another address
sign-up-confirm = Prove your address
    .lead = { $address } is yours? Then your account is ready.
    .elsewhere = You are in another browser than the one you signed up in. Please type the password you chose there. If you did not sign up, leave this page.
    .button = Yes, that is me

# Signing in

sign-in = Sign in
    .button = Sign in
    .join = Sign in and join
    .passkey = Use a passkey
    .forgot = I forgot my password
    .new = I have no account yet
sign-in-code = One more step
    .lead = Type the six digits that your authenticator app shows.
    .lost = I do not have the device
    .recovery = Type one of your recovery codes. If you do not have those either, ask whoever runs this server.
    .device = I have the device after all
    .button = Sign in
confirm = Is it you?
    .lead = What you are about to do needs proof that nobody else sits at your computer.
    .code = One-time or recovery code
    .button = Go on
reset = Forgot your password?
    .lead = Tell us your address, and we mail you a link to choose a new one.
    .button = Send the link
    .back = Back to sign in
    .again = Send a new link
reset-sent = Check your e-mail
    .lead = If { $address } belongs to an account, an e-mail is on its way to it.
reset-choose = Choose a new password
    .button = Change password

# Invitations

invitation = Join { $organization }
    .lead = You are invited to become a member of { $organization } with the role { $role }.
    .lead-by = { $inviter } invites you to become a member of { $organization } with the role { $role }.
    .join = Create account and join
    .accept = Join
    .decline = No, thank you
    .as = You are signed in as { $address }.
    .sign-in = You have an account. Sign in, and you are a member.
    .other = The invitation is for { $address }, and you are signed in as { $own }. To accept it, sign in as { $address }.
    .switch = Sign out and go on
    .renew = Send a new link to { $address }
invitation-expired = This invitation has expired
    .lead = We can send a new link to { $address }, where the first one went.
invitation-renewed = There is a newer e-mail
    .lead = Only the link in the latest e-mail works. We can send another one to { $address }.
invitation-accepted = This invitation was accepted
    .lead = { $address } is a member of { $organization }.
    .on = Go on
invitation-declined = This invitation was declined
    .lead = If that was a mistake, ask for a new invitation.
invitation-revoked = This invitation was taken back
    .lead = If you think that is a mistake, ask whoever invited you.
invitation-sent = A new e-mail is on its way
    .lead = Open the link in it to go on. The old link no longer works.

# Organizations

organizations = Your organizations
    .none = You are not a member of any organization yet.
organization-new = New organization
    .lead = You will own it. It comes with the roles Admin and Read-only.
    .button = Make organization
people = People
    .earlier = Earlier
    .later = Later
invite = Invite somebody
    .lead = They get an e-mail with a link. People who have an account are members at once, unless you ask first.
    .button = Send invitation
member-owner = owner
member-pending = invited
member-refused = The e-mail was refused: { $failure }
member-resend = Send again
member-revoke = Take back
member-remove = Remove
member-leave = Leave
settings-ask = People with an account
    .adds = They become members at once and get an e-mail that says so.
    .asks = They are asked first and become members when they accept.
    .on = Ask them first
    .off = Add them at once

# Account

account = Your account
    .button = Save
account-names = Name and language
account-address = E-mail address
    .is = You sign in with { $address }.
    .unproved = You sign in with { $address }. { $claimed } is to take its place and is not proved yet.
    .waits = We have written to { $address }. Open the link in the e-mail to prove that it is yours.
    .resend = Send that e-mail again
    .prove = Send an e-mail to prove it
    .button = Change address
address-new = Prove your new address
    .lead = Press the button to finish.
    .button = This address is mine
address-old = Take your address back
    .lead = { $address } becomes the address of your account again, and everybody is signed out. Then choose a new password.
    .button = Take it back

# Security

security-password = Password
    .lead = Whoever is signed in elsewhere has to sign in anew after a change.
    .none = You have no password.
    .button = Change password
    .remove = Remove the password and use passkeys only
security-code = One-time codes
    .off = An app on your phone shows a new code every half a minute. With it, a stolen password opens nothing.
    .on = They are on: signing in with the password asks for a code.
    .left = { $count ->
        [one] One recovery code is left.
       *[other] { $count } recovery codes are left.
    }
    .begin = Set up
    .renew = Make new recovery codes
    .remove = Turn off
codes = Set up one-time codes
    .lead = Scan the picture with an authenticator app, or type the key into it. Then type the code it shows.
    .seed = Key
    .button = Turn on
    .back = Not now
recovery = Your recovery codes
    .lead = Each of them opens your account once, on the day your phone is lost. They are shown this once: keep them where you keep what matters.
    .codes = Recovery codes
    .done = I have kept them
security-passkeys = Passkeys
    .lead = Your device or password manager keeps a passkey. You sign in with a fingerprint, a face or a PIN, and there is nothing to steal or to guess. Needs a script in the browser.
    .made = Made
    .used = Last used
    .remove = Remove
    .add = Add a passkey
security-sessions = Sessions
    .lead = Where you are signed in.
    .this = this one
    .began = Since
    .seen = Last seen
    .end = End
    .everywhere = Sign out everywhere
factor-password = password
factor-password-and-code = password and code
factor-passkey = passkey
factor-letter = e-mail

# API access

api-own = Your own application
    .lead = Programs use it to act as you, in every organization you are a member of.
    .id = Client id
    .secret = Client secret
    .hidden = The secret is kept in a form that nobody can read. If you do not have it, make a new one.
    .once = The secret is shown this once. The old one and its tokens no longer work.
    .rotate = Make a new secret
api-use = How to use it
    .lead = A token opens the API for two hours.
    .curl = With curl
    .sdk = With the SDK

# Letters

letter-footer = This e-mail was sent to { $address }.
letter-invitation = Invitation
    .subject = Join { $organization }
    .lead = You are invited to become a member of “{ $organization }”.
    .action = See the invitation
    .note = The link works for { $days } days. If you do not know what this is about, ignore this e-mail: nothing happens.
letter-invitation-by = Invitation
    .subject = Join { $organization }
    .lead = “{ $inviter }” invites you to become a member of “{ $organization }”.
    .action = See the invitation
    .note = The link works for { $days } days. If you do not know what this is about, ignore this e-mail: nothing happens.
letter-welcome = Welcome
    .subject = You are now a member of { $organization }
    .lead = You have been added to “{ $organization }”. Sign in as you always do.
    .action = Sign in
    .note = If you did not expect this, you can leave the organization at any time.
letter-welcome-by = Welcome
    .subject = You are now a member of { $organization }
    .lead = “{ $inviter }” has added you to “{ $organization }”. Sign in as you always do.
    .action = Sign in
    .note = If you did not expect this, you can leave the organization at any time.
letter-sign-up = Sign-up
    .subject = Prove your address
    .lead = Type this code where you signed up, or open the link.
    .action = Prove the address
    .note = Both work for one day. If you did not sign up, ignore this e-mail, and never tell anybody the code.
letter-already-registered = Sign-up
    .subject = You already have an account
    .lead = Somebody, most likely you, wanted to create an account with this address. There is one already.
    .action = Sign in
    .note = If you forgot the password, you can choose a new one there. If it was not you, there is nothing to do.
letter-reset = New password
    .subject = Choose a new password
    .lead = Somebody, most likely you, asked for a new password for this account.
    .action = Choose a password
    .note = The link works once, for one hour. If it was not you, ignore this e-mail: the password stays as it is.
letter-new-address = New address
    .subject = Prove your new address
    .lead = This address is to become the one of an account. Open the link in a browser where you are signed in.
    .action = Prove the address
    .note = The link works for one day. If you do not know what this is about, ignore this e-mail.
letter-address-changed = Address changed
    .subject = The address of your account has changed
    .lead = The new address is { $address }. If that was you, there is nothing to do.
    .action = It was not me: take it back
    .note = The link works for seven days. It ends all sessions, too.
letter-address-claimed = Address claimed
    .subject = Your account is to get another address
    .lead = Somebody with access to your account wants its address to be { $address }. You sign in as before until that is proved.
    .action = It was not me: undo it
    .note = The link works for seven days. It ends all sessions, too. If that was you, there is nothing to do.
letter-organization = an organization
letter-changed = Account changed
    .subject = Your account has changed
    .lead = { $what }
    .action = Look at it
    .note = If that was you, there is nothing to do. If not, sign in at once, remove under Security what you do not know, sign out everywhere and choose a new password.
letter-changed-password = The password of your account was changed.
letter-changed-password-removed = The password of your account was removed.
letter-changed-code-on = One-time codes were turned on for your account.
letter-changed-code-off = One-time codes were turned off for your account.
letter-changed-recovery-codes = New recovery codes were made for your account. The old ones no longer work.
letter-changed-passkey-added = A passkey was added to your account.
letter-changed-passkey-removed = A passkey was removed from your account.
letter-changed-secret = The client secret of your own application was replaced.
letter-changed-second-factor-reset = Whoever runs this server has removed the one-time codes and passkeys of your account.
letter-test = Test
    .subject = E-mail arrives
    .lead = This is a test, and it worked.
    .action = Go to the dashboard
    .note = Whoever runs this server sent it to see whether e-mail arrives.

# An application asks to act for somebody

consent = { $application } wants to act for you
    .lead = { $application } belongs to { $organization }.
consent-rights = If you agree, it may:
consent-know = { $application } wants to know who you are
consent-test = It works with the test environment: nothing it does is for real.
consent-live = It works with the live environment: what it does is for real.
consent-own = A command line wants to act for you
    .lead = A program on somebody’s computer asks to be let in as you.
consent-where = You can take this back at any time, under Applications. You will go on to { $place }.
consent-allow = Agree
consent-deny = Do not agree
consent-whoever = You are signed in as { $email }.
consent-other = Use another account
consent-stranger = You are not a member of { $organization }
    .lead = Only members of { $organization } can let this application act for them. Ask an admin to invite you, or use another account.
consent-back = Go back to { $application }
consent-leaving = You are being taken back to the application
    .link = Go on
right-openid = know that it is you
right-profile = see your name, your time zone and your language
right-email = see your e-mail address
right-provisioning = do everything in Guildhall that you may do: see and change your organizations and their members
right-metrics = see the figures of your organizations
right-everything = do everything in { $organization } that you may do there
right-everything-as = do everything in { $organization } that you may do there as { $role }
right-some = do in { $organization } what you may do there, as far as it is about { $scopes }
right-some-as = do in { $organization } what you may do there as { $role }, as far as it is about { $scopes }
right-market = the market { $name }
right-store = the store { $name }
right-stock-location = the stock location { $name }

# Another device

device = Let a device in
    .lead = Type in the code that your device or your command line shows.
    .button = Go on
device-sure = Agree only if you have begun this yourself and your device shows this code. Nobody else may ask you for it.
dead-device-allowed = Your device is let in
    .lead = You can close this page and go on there.
dead-device-denied = Your device was not let in
    .lead = It can do nothing for you.

# Requests of applications that make no sense

dead-request-twice = The application asked in a strange way
    .lead = Something in its request is there twice. Please tell whoever makes the application.
dead-request-client = We do not know this application
    .lead = It may have been removed or taken out of use, or it is not one that acts for people. Please tell whoever makes the application.
dead-request-redirect = The application wants you sent to an unknown place
    .lead = The place is not the one that was registered for it, so it may be somebody else’s. Please tell whoever makes the application.
dead-request-unsafe = The application’s place is not safe
    .lead = What you agree to would travel there without protection. Please tell whoever makes the application that it has to use https.
dead-request-over = That took too long
    .lead = The application’s request is not valid any more. Go back to the application and begin anew.

# One’s applications

applications-given = What you let applications do
    .lead = These applications may act for you in an organization, as long as you are a member there.
applications-none = There are none.
applications-test = Test
applications-since = Since
applications-used = Last agreed to
applications-last = Last used
applications-withdraw = Take back
command-lines = Command lines
    .lead = Programs that are let in as you, on whichever computer.
    .none = There are none.
command-line-code = Let in by a code
command-line-browser = Let in by a browser on its own machine
command-line = Command line
    .end = Sign out
said-withdrawn = It can do nothing for you any more.
