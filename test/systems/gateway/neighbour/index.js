const PATHS = [
  { path: "/plugins/webhooks/neighbour", match: "exact" },
  { path: "/plugins/webhooks/neighbours", match: "prefix" },
  { path: "/plugins/neighbour", match: "exact" },
];

export default {
  id: "neighbour",
  name: "Neighbour",
  description: "A plugin with routes below and beside the webhooks plugin's.",
  register(api) {
    for (const route of PATHS) {
      const handler = (request, response) => {
        response.end(`neighbour ${route.path}`);
        return true;
      };
      api.registerHttpRoute({ ...route, auth: "plugin", handler });
    }
  },
};
