/**
 * Who a connection acts for. Every connection carries one, every command declares the access that it needs, and dispatch
 * asks `mayAccess` before it runs a command: access control adds policy here and moves nothing elsewhere.
 */

/** What a command wants to do, and on what. */
export interface Access {
  /** MongoDB's privilege action, such as find, insert, shutdown; 'none' for what anybody may do before logging in. */
  readonly action: string;
  readonly on: 'collection' | 'database' | 'cluster' | 'anything';
}

export interface Principal {
  /** Users that logged in, as connectionStatus lists them. */
  readonly users: readonly { readonly user: string; readonly db: string }[];
  readonly roles: readonly { readonly role: string; readonly db: string }[];
  mayAccess(access: Access, namespace: string): boolean;
}

/** Access control is off: nobody has logged in, and everybody may do everything. */
export const unrestricted: Principal = {
  users: [],
  roles: [],
  mayAccess: () => true,
};
