// Who may do what to whom, as far as the page has to know it to offer no button that is refused.
// The camera decides: docs/protocol.md 5.7, 5.11.

/** mayRevoke reports whether this client may take member's rights away, or change them. */
export function mayRevoke(members, member) {
  const self = members.find((m) => m.own);
  const owners = members.filter((m) => m.role === 'owner');
  if (!self || member.role === 'owner' && owners.length === 1) return false;
  return member.own || self.role === 'owner' || self.scopes.includes('members') && member.parent === self.client;
}

/** mayUse reports whether this client has a right. What it may do is not known at once, but an owner may everything. */
export const mayUse = ({ role, scopes }, scope) => scopes?.includes(scope) ?? role === 'owner';

/**
 * whoEnds returns who can end privacy mode: 'you', 'owner' or 'device'.
 * @param {import('../core/camera.js').Camera} camera
 */
export async function whoEnds(camera) {
  const settings = await camera.settings();
  if (settings.privacy_off !== 'members') return 'device';
  return camera.state.scopes?.includes('settings') ? 'you' : 'owner';
}
