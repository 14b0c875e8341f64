"""Pages of this area: tickets, the departments' portal, search."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from yunwei.desk.web import opening, portal, search, ticket, tickets
from yunwei.ui.pages import PARTIES, READERS, TENANTS, Menu, Page

TRAY = "M4 13h4l2 3h4l2-3h4M4 13l3-8h10l3 8v6H4z"
DOOR = "M5 21V4h14v17M3 21h18M9 9h1M14 9h1M9 13h1M14 13h1M10 21v-4h4v4"

PAGES = [
    Page("tickets", "tickets", tickets.tickets, READERS, Menu("service", _("工单"), TRAY, 10, "t")),
    Page("tickets/board", "tickets-board", tickets.board, READERS),
    Page("tickets/new", "ticket-new", opening.new, PARTIES),
    Page("tickets/<str:number>", "ticket", ticket.ticket, READERS),
    Page("tickets/<str:number>/now", "ticket-now", ticket.ticket_now, READERS),
    Page("tickets/<str:number>/move", "ticket-move", ticket.move, PARTIES),
    Page("tickets/<str:number>/say", "ticket-say", ticket.say, PARTIES),
    Page("tickets/<str:number>/proof", "ticket-proof", ticket.proof, PARTIES),
    Page("tickets/<str:number>/files/<int:entry>", "ticket-file", ticket.file, READERS),
    Page("portal", "portal", portal.portal, TENANTS, Menu("overview", _("服务门户"), DOOR, 10, "p")),
    Page("portal/body", "portal-body", portal.body, TENANTS),
    Page("portal/new", "portal-new", portal.new, TENANTS),
    Page("portal/tickets", "portal-tickets", portal.tickets, TENANTS, Menu("service", _("我的申请"), TRAY, 10, "t")),
    Page("portal/tickets/<str:number>", "portal-ticket", portal.ticket, TENANTS),
    Page("portal/tickets/<str:number>/now", "portal-ticket-now", portal.ticket_now, TENANTS),
    Page("portal/tickets/<str:number>/move", "portal-ticket-move", portal.move, TENANTS),
    Page("portal/tickets/<str:number>/say", "portal-ticket-say", portal.say, TENANTS),
    Page("portal/tickets/<str:number>/files/<int:entry>", "portal-ticket-file", portal.file, TENANTS),
    Page("search", "search", search.search, READERS | TENANTS),  # an officer has no business data to find
]
