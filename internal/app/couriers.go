// SPDX-License-Identifier: Apache-2.0

package app

import (
	"path/filepath"

	"clusterup.dev/clusterup/internal/courier"
	"clusterup.dev/clusterup/internal/custody"
)

// couriers are the ways of spec.delivery.
func (a *App) couriers() (all []custody.Courier) {
	d := a.env.Spec.Delivery
	if d == nil {
		return nil
	}
	if d.Folder != "" {
		all = append(all, courier.Folder{Dir: filepath.Join(d.Folder, a.Name())})
	}
	if s := d.SMTP; s != nil {
		addresses := map[string]string{}
		for _, o := range a.env.Spec.Operators {
			addresses[o.Name] = o.Email
		}
		all = append(all, &courier.Mail{
			Environment: a.Name(), Host: s.Host, Port: s.Port, From: s.From, Encryption: courier.Encryption(s.TLS),
			UsernameEnv: s.UsernameEnv, PasswordEnv: s.PasswordEnv, Addresses: addresses,
		})
	}
	return all
}
